"""PNG files of 8 or 16 bits per channel, written by rows; Pillow has no modes for 16-bit colour, and only writes whole images."""

import contextlib
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import PngImagePlugin

Array = npt.NDArray[Any]

ROWS = 32  # compressed at a time
SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOUR = {1: 0, 2: 4, 3: 2, 4: 6}  # the PNG colour type for each number of channels
PAETH = 4


class PngWriter:
    """Writes a PNG file from top to bottom.

    Args:
        path: file to write.
        shape: height, width and channels, 1 to 4.
        bits: bits per channel, 8 or 16.
        options: options as for Pillow's own writer: ``icc_profile``, ``exif``, ``dpi`` and ``pnginfo``.
        level: compression level, from 0 to 9.
    """

    def __init__(self, path: Path, shape: tuple[int, int, int], bits: int, options: Mapping[str, Any], *, level: int = 6) -> None:
        height, width, channels = shape
        self._order = ">u2" if bits == 16 else "u1"
        self._compress = zlib.compressobj(level, strategy=zlib.Z_FILTERED)
        self._above = np.zeros((1, width, channels * bits // 8), np.uint8)
        self._file = path.open("wb")
        self._file.write(SIGNATURE)
        self._chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, COLOUR[channels], 0, 0, 0))
        if profile := options.get("icc_profile"):
            self._chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(profile))
        if dpi := options.get("dpi"):
            self._chunk(b"pHYs", struct.pack(">IIB", *(round(float(dots) / 0.0254) for dots in dpi), 1))
        if exif := options.get("exif"):
            self._chunk(b"eXIf", exif.removeprefix(b"Exif\0\0"))
        if "pnginfo" in options:
            for name, content, *_ in options["pnginfo"].chunks:
                self._chunk(name, content)

    def write(self, pixels: Array) -> None:
        """Write the next rows, H x W x C."""
        for top in range(0, len(pixels), ROWS):
            block = np.ascontiguousarray(pixels[top : top + ROWS], self._order).view(np.uint8).reshape(-1, *self._above.shape[1:])
            filtered = _paeth(block, self._above).reshape(len(block), -1)
            self._chunk(b"IDAT", self._compress.compress(np.insert(filtered, 0, PAETH, axis=1).tobytes()))
            self._above = block[-1:]

    def finish(self) -> None:
        """End the file and close it, which shows whether all of it could be written."""
        self._chunk(b"IDAT", self._compress.flush())
        self._chunk(b"IEND", b"")
        self._file.close()

    def close(self) -> None:
        """Close the file in its current state."""
        with contextlib.suppress(OSError):  # a full disk raised an error before
            self._file.close()

    def _chunk(self, name: bytes, content: bytes) -> None:
        PngImagePlugin.putchunk(self._file, name, content)


def _paeth(block: Array, above: Array) -> Array:
    """Return the differences between bytes and their prediction by PNG's Paeth filter, from left, above and above left."""
    up = np.concatenate((above, block[:-1])).astype(np.int16)
    left, corner = (np.pad(x, ((0, 0), (1, 0), (0, 0)))[:, :-1] for x in (block.astype(np.int16), up))
    estimate = left + up - corner
    to_left, to_up, to_corner = abs(estimate - left), abs(estimate - up), abs(estimate - corner)
    nearest = np.where((to_left <= to_up) & (to_left <= to_corner), left, np.where(to_up <= to_corner, up, corner))
    return (block - nearest).astype(np.uint8)
