"""The command line."""

from restorekit.cli._main import app, main

__all__ = ["app", "main"]

__dir__ = __all__.copy
