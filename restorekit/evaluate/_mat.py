"""MATLAB files, in the old format (read with SciPy) and in version 7.3 (HDF5, read with h5py)."""

from pathlib import Path
from typing import Any

import numpy as np

from restorekit._packages import from_extra
from restorekit.errors import DataError
from restorekit.images import Array


def read_array(path: Path, key: str) -> Array:
    """Return an array of a .mat file, with its axes in MATLAB's order.

    Raises:
        DataError: if the file is missing, cannot be read, or lacks the array.
        ModuleNotFoundError: if SciPy or h5py is not installed.
    """
    content = _load(path)
    if isinstance(content, dict):
        return np.asarray(_entry(content, key, path))
    with content:
        return np.asarray(_entry(content, key, path)).T


def read_boxes(path: Path) -> list[Array]:
    """Return the field ``boundingboxes`` of the struct array ``info``: for every image, its boxes, one per row.

    Raises:
        DataError: if the file is missing, cannot be read, or lacks it.
        ModuleNotFoundError: if SciPy or h5py is not installed.
    """
    content = _load(path)
    if isinstance(content, dict):
        info = _entry(content, "info", path)
        if "boundingboxes" not in (info.dtype.names or ()):
            raise DataError(f"{path} has no info.boundingboxes; it must be DND's info.mat")
        return [np.asarray(boxes) for boxes in info["boundingboxes"].ravel()]
    with content:
        info = _entry(content, "info", path)
        references = np.asarray(_entry(info, "boundingboxes", path)).ravel()
        return [np.asarray(content[reference]).T for reference in references]


def _load(path: Path) -> Any:
    """Return the content: a dictionary for the old format, an open HDF5 file for version 7.3."""
    with from_extra("evaluate", "reading .mat files needs SciPy and h5py"):
        import h5py
        import scipy.io
    if not path.is_file():
        raise DataError(f"there is no file {path}")
    try:
        return h5py.File(path, "r") if h5py.is_hdf5(path) else scipy.io.loadmat(path)
    except (OSError, ValueError, TypeError, NotImplementedError, scipy.io.matlab.MatReadError) as error:
        raise DataError(f"{path} cannot be read as a .mat file: {error}; is the download complete?") from error


def _entry(content: Any, key: str, path: Path) -> Any:
    if key not in content:
        held = ", ".join(name for name in content if not name.startswith(("__", "#")))
        raise DataError(f"{path} has no {key!r}; it contains: {held or 'nothing'}")
    return content[key]
