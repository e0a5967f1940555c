"""Reading and writing image files row by row, for images too large for the memory; needs libvips, from the extra ``io``."""

import importlib.util
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from restorekit._files import atomic_path
from restorekit.errors import ImageError
from restorekit.images._picture import check_can_hold, explained, opened, read_picture
from restorekit.images.formats import FORMATS, MODE_OF

Array = npt.NDArray[Any]

ROWS = 64  # decoded at a time
CHANNELS_OF = {mode: channels for (channels, _), mode in MODE_OF.items()}


def has_libvips() -> bool:
    """Return whether pyvips is installed."""
    return importlib.util.find_spec("pyvips") is not None


def can_be_read_by_rows(path: Path) -> bool:
    """Return whether an image file can be read row by row, with the same result as when it is read as a whole.

    Raises:
        ImageError: if it is not an image.
    """
    with opened(path) as content:
        return content.by_rows


def can_be_written_by_rows(path: Path) -> bool:
    """Return whether the suffix of a file belongs to a format that can be written row by row."""
    record = FORMATS.get(path.suffix.lower())
    return record is not None and record.rows is not None


class RowReader:
    """Reads an image file from top to bottom.

    Args:
        path: the file; :func:`can_be_read_by_rows` must accept it.

    Attributes:
        shape: height, width and channels; transparency is the last channel.
        dtype: uint8 or uint16.
        info: metadata, as in :class:`~restorekit.images.Picture`.

    Raises:
        ImageError: if it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with opened(path) as content:
            content.check()
            self.info, self._rows = content.info(), content.rows
        self.shape = content.height, content.width, CHANNELS_OF[content.mode]
        self.dtype = np.dtype(np.uint16 if content.mode.endswith(";16") else np.uint8)
        if self._rows is None:
            self._rows = self._through_libvips()
        self._first, self._last = 0, 0  # rows in the buffer
        self._buffer = np.empty((0, *self.shape[1:]), self.dtype)

    @property
    def mode(self) -> str:
        """Name of the kind of pixels, as in :class:`~restorekit.images.Picture`."""
        return MODE_OF[self.shape[2], 8 * self.dtype.itemsize]

    def read(self, first: int, last: int) -> Array:
        """Return the rows from a first one to before a last one, H x W x C; rows before it cannot be read again.

        No rows are skipped from one call to the next.

        The next call reuses the memory of the result.

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
        assert self._rows is not None
        try:
            return self._rows(first, first + count)
        except ImageError:
            raise
        except Exception as error:  # libraries raise many kinds of errors for damaged files
            raise ImageError(f"{self.path} cannot be read: {' '.join(str(error).split())}") from error

    def _through_libvips(self) -> Callable[[int, int], Array]:
        """Return a function that reads rows, from top to bottom."""
        import pyvips

        try:
            # libvips keeps what it read under a name, which may be another file by now
            image = pyvips.Image.new_from_file(str(self.path), access="sequential", fail_on="error", revalidate=True)
            region = pyvips.Region.new(image)
        except pyvips.Error as error:
            raise ImageError(f"{self.path} cannot be read: {' '.join(str(error).split())}") from error
        if (image.height, image.width, image.bands) != self.shape:
            raise ImageError(f"{self.path} is damaged: it is read as {image.bands} channels or {self.shape[2]}")

        whole: list[Array] = []

        def rows(first: int, last: int) -> Array:
            if not whole:
                try:
                    content = region.fetch(0, first, self.shape[1], last - first)
                    return np.frombuffer(content, self.dtype).reshape(last - first, *self.shape[1:])
                except pyvips.Error:  # whether that is damage or can be ignored is decided as for any other picture
                    whole.append(read_picture(self.path).pixels.reshape(self.shape))
            return whole[0][first:last]

        return rows


@contextmanager
def rows_written(
    path: Path, shape: tuple[int, int, int], dtype: npt.DTypeLike, info: Mapping[str, Any], *, quality: int | None = None
) -> Iterator[Callable[[Array], None]]:
    """Yield a function that writes the next rows (H x W x C) of an image file, which appears when the block ends without an error.

    Args:
        path: file to write; an existing file is replaced.
        shape: height, width and channels.
        dtype: uint8 or uint16.
        info: metadata.
        quality: of JPEG files, as in :func:`~restorekit.images.write_picture`.

    Raises:
        ImageError: if the format cannot store the image, or the file cannot be written.
    """
    bits = 8 * np.dtype(dtype).itemsize
    record = check_can_hold(path, MODE_OF[shape[2], bits], info)
    if record.rows is None:
        raise ImageError(f"{path}: {record.name} cannot be written row by row; write a .png or .tif instead")
    with ExitStack() as stack:  # not around the block, whose errors are not about the file
        with explained(path):
            temporary = stack.enter_context(atomic_path(path))
            writer = record.rows(temporary, shape, bits, info, quality)
            stack.enter_context(closing(writer))

        def write(pixels: Array) -> None:
            with explained(path):
                writer.write(pixels)

        yield write
        with explained(path):
            writer.finish()
