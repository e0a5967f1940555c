"""Images, degradations and data sets."""

from restorekit.data import camera as _camera  # noqa: F401 registers camera noise
