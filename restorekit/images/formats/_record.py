"""The definition of an image format: one record per format, from which everything else is derived."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy.typing as npt

Array = npt.NDArray[Any]
Info = Mapping[str, Any]

MODE_OF = {  # by the numbers of channels and bits
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
        width: width of the picture, upright if the reader of the format turns it.
        height: height of the picture.
        mode: mode that the pixels will have, one of ``MODE_OF``.
        pixels: decodes the pixels: H x W or H x W x C, uint8 or uint16.
        info: reads the metadata, by the keys of :class:`~restorekit.images.Picture`.
        frames: how many pages or frames the file contains; the other attributes describe the first.
        what: which kind, ``pages`` (each with its own size and metadata) or ``frames`` (of an animation).
        each: opens one page or frame after the other; without it, a file with several is refused.
        by_rows: whether it can be read row by row.
        rows: reads the rows from a first one to before a last one, H x W x C; without it, libvips reads the same pixels.
        check: raises an error if the file lacks pixels that decoders make up without a word; ``pixels`` does so, too.
        damage: in words, why a file is known to be damaged before its pixels are decoded.
        note: in words, what the reader did beyond decoding, to be told with the result.
        rescue: returns the pixels that a damaged file still has, grey where they are missing, and in words what is missing.
    """

    width: int
    height: int
    mode: str
    pixels: Callable[[], Array]
    info: Callable[[], dict[str, Any]]
    frames: int = 1
    what: str = "frames"
    each: Callable[[], Iterator["Content"]] | None = None
    by_rows: bool = False
    rows: Callable[[int, int], Array] | None = None
    check: Callable[[], None] = lambda: None
    damage: str = ""
    note: str = ""
    rescue: Callable[[], tuple[Array, str]] | None = None


class RowWriter(Protocol):
    """Writes a file from top to bottom."""

    def write(self, pixels: Array) -> None:
        """Write the next rows, H x W x C."""

    def finish(self) -> None:
        """End the file; a failed write shows at the latest now."""

    def close(self) -> None:
        """Drop everything that is open, after an error too."""


@dataclass(frozen=True)
class ImageFormat:
    """One format of image files. All code that depends on the format uses its record.

    Attributes:
        name: name in messages and pages.
        suffixes: suffixes of its files, in lower case, with the dot.
        starts: whether a file that begins with these 64 bytes has this format.
        by_suffix: whether only files with its suffixes have the format, since others begin in the same way.
        open: returns the content of a file. It raises an ``ImageError`` if reading would lose something silently.
        reads: what can be read, in words, for the documentation.
        modes: the modes of pixels that can be written; empty if the format is only read.
        holds: the metadata that can be written.
        write: writes pixels and metadata to a path; the last argument is the quality, or None for the default.
        rows: creates a writer of rows for a path, height, width and channels, bits, metadata and quality.
        several: what a written file can contain several of, ``pages`` or ``frames``; empty for single pictures only.
        write_several: writes pixels and metadata of pages or frames, which are fetched one by one, to a path; takes their number,
            and the quality.
        quality: whether it can be written with a quality.
        lossless: whether it is lossless by default.
        written_as: suffix of the format that results are written in, if this one is only read.
        working_bytes: about how much memory the encoder of a whole picture needs for a pixel, in addition to the pixels.
        missing: what to install if the format is not available, else "".
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
    several: str = ""
    write_several: Callable[[Iterable[tuple[Array, Info]], int, Path, int | None], None] | None = None
    quality: bool = False
    lossless: bool = True
    by_suffix: bool = False
    written_as: str = ""
    working_bytes: int = 8
    missing: Callable[[], str] = lambda: ""

    @property
    def usable(self) -> bool:
        """Whether its files can be read on this machine."""
        return not self.missing()


FORMATS: dict[str, ImageFormat] = {}  # by suffix


def register_format(record: ImageFormat) -> ImageFormat:
    """Add a format to those that can be read and written.

    Raises:
        ValueError: if one of its suffixes belongs to another format.
    """
    for suffix in record.suffixes:
        if suffix in FORMATS:
            raise ValueError(f"the suffix {suffix} belongs to {FORMATS[suffix].name}; {record.name} needs another suffix")
    FORMATS.update(dict.fromkeys(record.suffixes, record))
    return record


def all_formats() -> list[ImageFormat]:
    """Return every format once, sorted by name."""
    return sorted({record.name: record for record in FORMATS.values()}.values(), key=lambda record: record.name)
