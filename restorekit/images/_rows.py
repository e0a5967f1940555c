"""Image files that are read and written row by row, for images too large to hold; with libvips, which the extra ``io`` brings."""

import contextlib
import importlib.util
import io
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from restorekit._files import atomic_path
from restorekit.errors import ImageError
from restorekit.images._metadata import metadata_of, save_options
from restorekit.images._picture import FORMATS, MODE_OF, check_can_hold, explained, opened, write_options
from restorekit.images.formats import PngWriter, TiffWriter, is_deep, png_metadata, raw_mode

Array = npt.NDArray[Any]

READ_BY_ROWS = WRITTEN_BY_ROWS = ("PNG", "JPEG", "TIFF")
ROWS = 64  # that are decoded at a time
LEVEL = 3  # of PNG files, where time counts more
UPRIGHT = 1  # as an orientation
PLAIN_TIFF = {1, 2}  # photometric interpretations: black is zero, and RGB
PHOTOMETRIC, ORIENTATION = 262, 274  # tags
START, APP0, APP15, COMMENT = b"\xff\xd8", 0xE0, 0xEF, 0xFE  # of JPEG files


def has_libvips() -> bool:
    """Return whether pyvips is installed."""
    return importlib.util.find_spec("pyvips") is not None


def can_be_read_by_rows(path: Path) -> bool:
    """Return whether an image file is one that libvips gives the same pixels of as Pillow: no palette, no CMYK, upright.

    Raises:
        ImageError: if it is no image.
    """
    with opened(path) as image:
        mode = raw_mode(image) if is_deep(image) else image.mode
        plain = re.sub(r"(;16)[BLN]$", r"\1", mode) in MODE_OF.values() and "transparency" not in image.info
        if image.format == "TIFF":
            tags = image.tag_v2  # type: ignore[attr-defined]  # of Pillow's class for TIFF files
            plain &= tags.get(ORIENTATION, UPRIGHT) == UPRIGHT and tags.get(PHOTOMETRIC) in PLAIN_TIFF
            plain &= raw_mode(image).partition(";")[0] == mode.partition(";")[0]
        return plain and image.format in READ_BY_ROWS


def can_be_written_by_rows(path: Path) -> bool:
    """Return whether the suffix of a file is that of a format that is written row by row."""
    return FORMATS.get(path.suffix.lower()) in WRITTEN_BY_ROWS


class RowReader:
    """Reads an image file from top to bottom.

    Args:
        path: the file, one that :func:`can_be_read_by_rows`.

    Attributes:
        shape: height, width and channels; transparency is the last channel.
        dtype: uint8 or uint16.
        info: what :class:`~restorekit.images.Picture` has of the name.

    Raises:
        ImageError: if it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        import pyvips

        self.path = path
        with opened(path) as image:
            self.info = png_metadata(path) if image.format == "PNG" else metadata_of(image)
        try:
            image = pyvips.Image.new_from_file(str(path), access="sequential", fail_on="error")
            self._region = pyvips.Region.new(image)
        except pyvips.Error as error:
            raise self._unreadable(error) from error
        self.shape = image.height, image.width, image.bands
        self.dtype = np.dtype({"uchar": np.uint8, "ushort": np.uint16}[image.format])
        self._first, self._last = 0, 0  # rows that are in the buffer
        self._buffer = np.empty((0, *self.shape[1:]), self.dtype)

    @property
    def mode(self) -> str:
        """Name of the kind of pixels, as that of :class:`~restorekit.images.Picture`."""
        return MODE_OF[self.shape[2], 8 * self.dtype.itemsize]

    def read(self, first: int, last: int) -> Array:
        """Return the rows from a first one to before a last one, H x W x C; rows before it are not to be had again.

        No rows are skipped from one call to the next.

        The result is in memory that the next call uses again.

        Raises:
            ImageError: if the file is damaged.
        """
        kept = self._buffer[first - self._first : self._last - self._first]
        if last - first > len(self._buffer):
            buffer = np.empty((last - first, *self.shape[1:]), self.dtype)
            buffer[: len(kept)] = kept
            self._buffer = buffer
        elif first > self._first:
            self._buffer[: len(kept)] = kept.copy()
        self._first = first
        while self._last < last:
            count = min(ROWS, last - self._last)
            self._buffer[self._last - first :][:count] = self._fetched(self._last, count)
            self._last += count
        return self._buffer[: last - first]

    def _fetched(self, first: int, count: int) -> Array:
        import pyvips

        try:
            content = self._region.fetch(0, first, self.shape[1], count)
        except pyvips.Error as error:
            raise self._unreadable(error) from error
        return np.frombuffer(content, self.dtype).reshape(count, *self.shape[1:])

    def _unreadable(self, error: Exception) -> ImageError:
        return ImageError(f"{self.path} cannot be read: {' '.join(str(error).split())}")


class _Writer(Protocol):
    def write(self, pixels: Array) -> None: ...
    def finish(self) -> None: ...
    def close(self) -> None: ...


@contextmanager
def rows_written(
    path: Path, shape: tuple[int, int, int], dtype: npt.DTypeLike, info: Mapping[str, Any], *, quality: int | None = None
) -> Iterator[Callable[[Array], None]]:
    """Give a function that writes the next rows (H x W x C) of an image file, which appears when the block ends without an error.

    Args:
        path: where to; an existing file is replaced.
        shape: height, width and channels.
        dtype: uint8 or uint16.
        info: metadata.
        quality: of JPEG files, as :func:`~restorekit.images.write_picture` takes it.

    Raises:
        ImageError: if the format cannot hold the image, or the file cannot be written.
    """
    bits = 8 * np.dtype(dtype).itemsize
    check_can_hold(path, MODE_OF[shape[2], bits], info)
    file_format = FORMATS[path.suffix.lower()]
    options = save_options(file_format, info)
    with ExitStack() as stack:  # not around the block, where what goes wrong is not with the file
        with explained(path):
            temporary = stack.enter_context(atomic_path(path))
            writer: _Writer
            if file_format == "PNG":
                writer = PngWriter(temporary, shape, bits, options, level=LEVEL)
            elif file_format == "TIFF":
                writer = TiffWriter(temporary, shape, bits, options)
            else:
                writer = _JpegWriter(temporary, shape, {**write_options(file_format, quality), **options})
            stack.enter_context(closing(writer))

        def write(pixels: Array) -> None:
            with explained(path):
                writer.write(pixels)

        yield write
        with explained(path):
            writer.finish()


class _JpegWriter:
    """Writes a JPEG file: rows to a temporary file, and from there through libvips; metadata are as Pillow writes them."""

    def __init__(self, path: Path, shape: tuple[int, int, int], options: Mapping[str, Any]) -> None:
        self.path, self.shape, self.options = path, shape, options
        self._rows = path.with_name(f"{path.name}.rows").open("wb")

    def write(self, pixels: Array) -> None:
        """Write the next rows, H x W x C."""
        self._rows.write(np.ascontiguousarray(pixels).data)

    def finish(self) -> None:
        """Write the file."""
        import pyvips

        self._rows.flush()
        height, width, channels = self.shape
        image = pyvips.Image.rawload(self._rows.name, width, height, channels, access="sequential")
        image = image.copy(interpretation="b-w" if channels == 1 else "srgb")
        full = self.options.get("subsampling", "4:4:4") == "4:4:4"
        header = io.BytesIO()
        Image.new("L" if channels == 1 else "RGB", (1, 1)).save(header, "JPEG", **self.options)
        with tempfile.TemporaryFile(dir=self.path.parent) as body, self.path.open("wb") as file:
            target, errors = pyvips.TargetCustom(), list[OSError]()
            target.on_write(partial(_write_or_note, body, errors))
            try:
                image.jpegsave_target(target, Q=self.options["quality"], subsample_mode="off" if full else "on", keep="none")
            except pyvips.Error as error:
                raise (errors or [OSError(" ".join(str(error).split()))])[0] from error
            if errors:
                raise errors[0]
            file.write(START + _segments(header))
            _segments(body)  # its own, which are left out
            shutil.copyfileobj(body, file)

    def close(self) -> None:
        """Drop the temporary file."""
        with contextlib.suppress(OSError):  # of a full disk, which was raised before
            self._rows.close()
        Path(self._rows.name).unlink()


def _write_or_note(file: Any, errors: list[OSError], content: Any) -> int:
    """Write, and return how many bytes; keep an error, which cannot pass through libvips."""
    try:
        return file.write(content)
    except OSError as error:
        errors.append(error)
        return -1


def _segments(file: Any) -> bytes:
    """Return the segments of a JPEG file that describe the image; the file then stands after them."""
    file.seek(len(START))
    found = b""
    while True:
        place = file.tell()
        marker, length = file.read(2), int.from_bytes(file.read(2), "big")
        if not (APP0 <= marker[1] <= APP15 or marker[1] == COMMENT):
            file.seek(place)
            return found
        file.seek(place)
        found += file.read(2 + length)
