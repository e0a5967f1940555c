"""What a format is: one record for each, from which everything else is derived."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy.typing as npt

Array = npt.NDArray[Any]
Info = Mapping[str, Any]

MODE_OF = {  # by the number of channels and of bits
    (1, 8): "L",
    (2, 8): "LA",
    (3, 8): "RGB",
    (4, 8): "RGBA",
    (1, 16): "I;16",
    (2, 16): "LA;16",
    (3, 16): "RGB;16",
    (4, 16): "RGBA;16",
}


@dataclass(frozen=True)
class Content:
    """An open image file, before its pixels are decoded.

    Attributes:
        width: of the picture, upright where the format's reader turns it.
        height: of the picture.
        mode: of the pixels that will be read, one of ``MODE_OF``.
        pixels: decodes them: H x W or H x W x C, uint8 or uint16.
        info: reads the metadata, by the keys that :class:`~restorekit.images.Picture` has.
        frames: how many pictures the file contains; only files with one are read.
        by_rows: whether it can be read row by row.
        rows: reads the rows from a first one to before a last one, H x W x C; without it, libvips reads the same pixels.
    """

    width: int
    height: int
    mode: str
    pixels: Callable[[], Array]
    info: Callable[[], dict[str, Any]]
    frames: int = 1
    by_rows: bool = False
    rows: Callable[[int, int], Array] | None = None


class RowWriter(Protocol):
    """Writes a file from top to bottom."""

    def write(self, pixels: Array) -> None:
        """Write the next rows, H x W x C."""

    def finish(self) -> None:
        """End the file; what could not be written shows now at the latest."""

    def close(self) -> None:
        """Drop whatever is open, after an error too."""


@dataclass(frozen=True)
class ImageFormat:
    """One format of image files. Everything that depends on the format asks its record.

    Attributes:
        name: how messages and pages call it.
        suffixes: of its files, in lower case, with the dot.
        starts: whether a file that begins with these 64 bytes is of this format.
        open: returns the content of a file. It raises an ``ImageError`` for what would be read with a silent loss.
        reads: what it reads, in words, for the documentation.
        modes: the modes of pixels that it can be written with; none if it is only read.
        holds: the metadata that it can be written with.
        write: writes pixels and metadata to a path; the last argument is the quality, or None for the default.
        rows: makes a writer of rows, for a path, height, width and channels, bits, metadata and quality.
        quality: whether it can be written with a quality.
        lossless: whether pixels stay as they are by default.
        missing: what to install, if the format cannot be used here, else "".
    """

    name: str
    suffixes: tuple[str, ...]
    starts: Callable[[bytes], bool]
    open: Callable[[BinaryIO, Path], Content]
    reads: str
    modes: frozenset[str] = frozenset()
    holds: frozenset[str] = frozenset()
    write: Callable[[Array, Path, Info, int | None], None] | None = None
    rows: Callable[[Path, tuple[int, int, int], int, Info, int | None], RowWriter] | None = None
    quality: bool = False
    lossless: bool = True
    missing: Callable[[], str] = lambda: ""

    @property
    def usable(self) -> bool:
        """Whether its files can be read here."""
        return not self.missing()


FORMATS: dict[str, ImageFormat] = {}  # by suffix


def register_format(record: ImageFormat) -> ImageFormat:
    """Add a format to those that are read and written.

    Raises:
        ValueError: if one of its suffixes belongs to another format.
    """
    for suffix in record.suffixes:
        if suffix in FORMATS:
            raise ValueError(f"files {suffix} are {FORMATS[suffix].name}; {record.name} needs another suffix")
    FORMATS.update(dict.fromkeys(record.suffixes, record))
    return record


def all_formats() -> list[ImageFormat]:
    """Return every format once, sorted by name."""
    return sorted({record.name: record for record in FORMATS.values()}.values(), key=lambda record: record.name)
