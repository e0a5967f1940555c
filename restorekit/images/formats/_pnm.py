"""PGM and PPM, binary: 8 and 16 bits, without metadata. Decoded here, since Pillow reduces 16-bit colour to 8 bits."""

import re
from pathlib import Path
from typing import BinaryIO

import numpy as np

from restorekit.errors import ImageError
from restorekit.images.formats._record import Array, Content, ImageFormat, Info, register_format

GAP = rb"(?:\s|#[^\n]*\n)+"
HEADER = re.compile(rb"P([56])" + GAP + rb"(\d+)" + GAP + rb"(\d+)" + GAP + rb"(\d+)\s")
LONGEST = 2**12  # bytes of the header, comments included


def _open(file: BinaryIO, path: Path) -> Content:
    found = HEADER.match(file.read(LONGEST))
    if not found:
        raise ImageError(f"{path} is not a binary PGM or PPM file (P5, P6); convert it first: pnmtopng in.pnm > out.png")
    channels = 3 if found[1] == b"6" else 1
    width, height, largest = (int(number) for number in found.groups()[1:])
    if not (width and height and 0 < largest < 65536):
        raise ImageError(f"{path} is damaged: its header declares {width} x {height} pixels with numbers up to {largest}")
    deep = largest > 255
    mode = ("RGB" if channels == 3 else "L") if not deep else ("RGB;16" if channels == 3 else "I;16")

    def pixels() -> Array:
        file.seek(found.end())
        size = height * width * channels * (2 if deep else 1)
        content = file.read(size)
        if len(content) < size:
            raise ImageError(f"{path} is truncated: it has {len(content)} of {size} bytes of pixels")
        if file.read(2).lstrip()[:1] == b"P":
            raise ImageError(f"{path} contains several pictures; save each as a separate file first")
        shape = (height, width, 3) if channels == 3 else (height, width)
        read = np.frombuffer(content, ">u2" if deep else "u1").reshape(shape)
        return _whole_range(read, largest)

    return Content(width, height, mode, pixels, dict)


def _whole_range(pixels: Array, largest: int) -> Array:
    if largest in (255, 65535):
        return pixels.astype(np.uint8 if largest == 255 else np.uint16)
    clipped = np.minimum(pixels, largest).astype(np.uint64)
    whole = 255 if largest < 255 else 65535
    return ((clipped * whole + largest // 2) // largest).astype(np.uint8 if whole == 255 else np.uint16)


def _write(pixels: Array, path: Path, info: Info, quality: int | None) -> None:
    height, width, *channels = pixels.shape
    header = f"P{6 if channels else 5}\n{width} {height}\n{np.iinfo(pixels.dtype).max}\n".encode()
    path.write_bytes(header + pixels.astype(pixels.dtype.newbyteorder(">")).tobytes())


FORMAT = register_format(
    ImageFormat(
        name="PPM",
        suffixes=(".ppm", ".pgm", ".pnm"),
        starts=lambda head: re.match(rb"P[1-6][\s#]", head) is not None,
        open=_open,
        reads="8 and 16 bits; grey, colour",
        modes=frozenset({"L", "RGB", "I;16", "RGB;16"}),
        write=_write,
    )
)
