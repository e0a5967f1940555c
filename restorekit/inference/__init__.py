"""Restoring images with a model."""

from restorekit.inference.local_pooling import local_pooling
from restorekit.inference.precision import prepare
from restorekit.inference.restore import restore

__all__ = ["local_pooling", "prepare", "restore"]
