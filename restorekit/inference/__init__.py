"""Restoring images with a model."""

from restorekit.inference.restore import restore

__all__ = ["restore"]
