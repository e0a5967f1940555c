"""TIFF files written by rows. Pillow cannot write 16-bit colour, and tifffile cannot write EXIF data as a folder of tags."""

import contextlib
import shutil
import struct
import sys
import tempfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import TiffImagePlugin, TiffTags

Array = npt.NDArray[Any]

ROWS = 256  # per strip
HEADER = 8  # bytes before the first page
IN_MEMORY = 2**24  # bytes of strips kept in memory, since the tags that point to them come first


class TiffWriter:
    """Writes a TIFF file from top to bottom, compressed without loss.

    Args:
        path: file to write.
        shape: height, width and channels, 1 to 4.
        bits: bits per channel, 8 or 16.
        options: ``icc_profile``, ``iptc``, ``dpi``, and tags as ``exif``.
    """

    def __init__(self, path: Path, shape: tuple[int, int, int], bits: int, options: Mapping[str, Any]) -> None:
        self.path, self.shape, self.bits, self.options = path, shape, bits, options
        self._dtype = np.dtype(f"uint{bits}")
        self._rows = np.empty((0, *shape[1:]), self._dtype)  # rows that do not fill a strip yet
        self._sizes: list[int] = []
        self._strips = tempfile.SpooledTemporaryFile(IN_MEMORY, dir=str(path.parent))  # noqa: SIM115  # close() closes it

    def write(self, pixels: Array) -> None:
        """Write the next rows, H x W x C."""
        rows = np.concatenate((self._rows, pixels)) if len(self._rows) else pixels
        whole = len(rows) - len(rows) % ROWS
        for top in range(0, whole, ROWS):
            self._strip(rows[top : top + ROWS])
        self._rows = rows[whole:].copy()

    def finish(self) -> None:
        """Write the tags, and the strips after them."""
        with self.path.open("wb") as file:
            self.append_to(file, 0)

    def append_to(self, file: BinaryIO, link: int) -> int:
        """Add the picture to a file as its first or next page.

        Args:
            file: the file, at its end.
            link: where the page before says where the next page begins; ignored for the first page.

        Returns:
            The same for this page.
        """
        if len(self._rows):
            self._strip(self._rows)
        if start := file.tell():
            file.write(bytes(start % 2))
            start += start % 2
            file.seek(link)
            file.write(struct.pack("=I", start))
            file.seek(start)
        tags = self._tags()
        tags.save(file)
        self._strips.seek(0)
        shutil.copyfileobj(self._strips, file)
        return (start or HEADER) + 2 + 12 * len(tags)

    def close(self) -> None:
        """Drop everything that is not in the file yet."""
        with contextlib.suppress(OSError):  # a full disk raised an error before
            self._strips.close()

    def _strip(self, rows: Array) -> None:
        before = np.zeros((len(rows), 1, self.shape[2]), self._dtype)
        self._sizes.append(self._strips.write(zlib.compress(np.diff(rows, axis=1, prepend=before).tobytes())))

    def _tags(self) -> TiffImagePlugin.ImageFileDirectory_v2:
        height, width, channels = self.shape
        tags = TiffImagePlugin.ImageFileDirectory_v2(prefix=b"II" if sys.byteorder == "little" else b"MM")
        exif = self.options.get("exif", {})
        for tag in exif:
            tags[tag] = exif.get_ifd(tag) if tag in TiffTags.TAGS_V2_GROUPS else exif[tag]
        if profile := self.options.get("icc_profile"):
            tags[TiffImagePlugin.ICCPROFILE] = profile
        if iptc := self.options.get("iptc"):
            tags[33723] = iptc
            tags.tagtype[33723] = TiffTags.UNDEFINED
        if dpi := self.options.get("dpi"):
            tags[TiffImagePlugin.RESOLUTION_UNIT] = 2  # inches
            tags[TiffImagePlugin.X_RESOLUTION], tags[TiffImagePlugin.Y_RESOLUTION] = dpi
        tags[TiffImagePlugin.IMAGEWIDTH], tags[TiffImagePlugin.IMAGELENGTH] = width, height
        tags[TiffImagePlugin.BITSPERSAMPLE] = (self.bits,) * channels
        tags[TiffImagePlugin.SAMPLESPERPIXEL] = channels
        tags[TiffImagePlugin.PHOTOMETRIC_INTERPRETATION] = 2 if channels > 2 else 1  # colour, or black is zero
        if channels in (2, 4):
            tags[TiffImagePlugin.EXTRASAMPLES] = 2  # transparency by which colours are not multiplied
        tags[TiffImagePlugin.PLANAR_CONFIGURATION] = 1
        tags[TiffImagePlugin.COMPRESSION] = 8  # deflate
        tags[TiffImagePlugin.PREDICTOR] = 2  # differences along a row
        tags[TiffImagePlugin.ROWSPERSTRIP] = ROWS
        tags[TiffImagePlugin.STRIPBYTECOUNTS] = tuple(self._sizes)
        starts = np.cumsum([0, *self._sizes[:-1]])
        tags[TiffImagePlugin.STRIPOFFSETS] = tuple(map(int, starts))  # Pillow adds where the tags end
        return tags
