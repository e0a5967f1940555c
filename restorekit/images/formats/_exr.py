"""OpenEXR: recognised, and refused with advice, since its numbers are those of light and not of a display."""

from pathlib import Path
from typing import BinaryIO, NoReturn

from restorekit.errors import ImageError
from restorekit.images.formats._record import ImageFormat, register_format

MAGIC = b"\x76\x2f\x31\x01"
ADVICE = (
    "OpenEXR files contain amounts of light, for which no network is trained; convert it for a display first: "
    "oiiotool in.exr --colorconvert linear sRGB -d uint16 -o out.tif"
)


def _open(file: BinaryIO, path: Path) -> NoReturn:
    raise ImageError(f"{path}: {ADVICE}")


FORMAT = register_format(
    ImageFormat(
        name="OpenEXR",
        suffixes=(".exr",),
        starts=lambda head: head.startswith(MAGIC),
        open=_open,
        reads="no: its numbers are amounts of light",
        missing=lambda: ADVICE,
    )
)
