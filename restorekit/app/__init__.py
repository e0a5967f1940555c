"""A window in the browser for people who prefer one to a shell: pictures in, restored pictures out, on this machine."""

from restorekit.app._launch import build_app, launch_app
from restorekit.app._work import CancelledError, restore_pictures

__all__ = ["CancelledError", "build_app", "launch_app", "restore_pictures"]

__dir__ = __all__.copy
