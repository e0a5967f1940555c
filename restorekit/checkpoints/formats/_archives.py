"""Archives: what they contain is read only as far as their size allows, and their checksums are checked."""

import io
import struct
import zipfile
import zlib
from pathlib import Path

from restorekit._limits import excess

UNPACKED = 2**28  # bytes that any archive may unpack to
UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, RuntimeError, OverflowError, struct.error)
RATIO = 8  # how many times its own size a larger one may unpack to; weights hardly compress


def names_in_zip(path: Path) -> list[str]:
    """Return the names of the files in a zip file; none if a file is not one, or not a readable one."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (*UNREADABLE, ValueError):
        return []


def check_zip(path: Path) -> None:
    """Raise a ``ValueError`` if a zip file unpacks to too much, or the content of a file in it does not have its checksum."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            check_unpacked(path, sum(entry.file_size for entry in entries))
            # PyTorch can be told to write no checksums.
            damaged = archive.testzip() if any(entry.CRC for entry in entries) else None
    except UNREADABLE as error:
        raise ValueError(f"it is a damaged archive ({error}); download it again") from error
    if damaged is not None:
        raise ValueError(f"it is damaged: {damaged!r} in it does not have its checksum; download it again")


def check_unpacked(path: Path, size: int) -> None:
    """Raise a ``ValueError`` if this many bytes are too much to unpack from an archive."""
    if problem := excess("it unpacks to at least", size, max(UNPACKED, RATIO * path.stat().st_size), "bytes"):
        raise ValueError(problem)


def unpacked(path: Path, file: io.BufferedIOBase) -> io.BytesIO:
    """Return what a compressed file contains; it raises a ``ValueError`` if that is too much.

    Args:
        path: the archive.
        file: a stream that decompresses it.
    """
    content = io.BytesIO()
    while chunk := file.read(2**20):
        content.write(chunk)
        check_unpacked(path, content.tell())
    content.seek(0)
    return content
