"""Archives of numpy (``.npz``), which contain weights from flax."""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from restorekit.checkpoints._flax import Arrays, without_optimiser
from restorekit.checkpoints.formats._format import Format, formats


def read_npz(path: Path) -> Arrays:
    """Return the arrays of a ``.npz`` file, without the state of an optimiser; nothing in the file is executed.

    Raises:
        ValueError: if the file is truncated, is not such an archive, or contains pickled objects.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {short: archive[name] for name, short in without_optimiser(archive.files).items()}
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        if "pickle" in str(error):
            raise ValueError(
                "it contains pickled objects, which can run code when they are read, and is refused; save arrays only"
            ) from error
        raise ValueError(f"it is truncated or not an archive of numpy arrays: {error}") from error


def is_npz(path: Path) -> bool:
    """Return whether a file is an archive of arrays; files of ``torch.save`` are archives, too."""
    if not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith(".npy") for name in archive.namelist())
    except zipfile.BadZipFile:
        return False


formats.add("npz", Format((".npz",), is_npz, read_npz, preference=3))
