"""Archives of numpy (``.npz``), which contain weights from flax."""

import math
import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.lib.format import read_array_header_1_0, read_array_header_2_0, read_magic

from restorekit.checkpoints._flax import Arrays, without_optimiser
from restorekit.checkpoints.formats._archives import check_zip, names_in_zip
from restorekit.checkpoints.formats._format import Format, formats


def read_npz(path: Path) -> Arrays:
    """Return the arrays of a ``.npz`` file, without the state of an optimiser; nothing in the file is executed.

    Raises:
        ValueError: if the file is truncated, is not such an archive, or contains pickled objects.
    """
    try:
        check_zip(path)
        _check_headers(path)
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {short: archive[name] for name, short in without_optimiser(archive.files).items()}
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        if "pickle" in str(error):
            raise ValueError(
                "it contains pickled objects, which can run code when they are read, and is refused; save arrays only"
            ) from error
        raise ValueError(f"it is truncated or not an archive of numpy arrays: {error}") from error


def _check_headers(path: Path) -> None:
    """Raise a ``ValueError`` if an array declares more numbers than it has, before there is memory for them."""
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            with archive.open(entry) as file:
                if not entry.filename.endswith(".npy"):
                    continue
                read_header = read_array_header_1_0 if read_magic(file) == (1, 0) else read_array_header_2_0
                try:
                    shape, _, dtype = read_header(file)
                except Exception as error:  # even those of Python's tokenizer; some describe Python objects
                    raise ValueError(f"the header of {entry.filename!r} is damaged") from error
            declared = math.prod(shape) * dtype.itemsize
            if declared > entry.file_size:
                raise ValueError(f"{entry.filename!r} declares {declared:,} bytes of numbers, but has {entry.file_size:,}")


def is_npz(path: Path) -> bool:
    """Return whether a file is an archive of arrays; files of ``torch.save`` are archives, too."""
    return any(name.endswith(".npy") for name in names_in_zip(path))


formats.add("npz", Format((".npz",), is_npz, read_npz, preference=3))
