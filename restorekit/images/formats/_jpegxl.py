"""JPEG XL: recognised, and refused with what to do, for no library under a permissive licence gives its colour profile too."""

from pathlib import Path
from typing import BinaryIO, NoReturn

from restorekit.errors import ImageError
from restorekit.images.formats._record import ImageFormat, register_format

CODESTREAM, CONTAINER = b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"
ADVICE = "JPEG XL is not read here; convert it first, without loss: djxl in.jxl out.png"


def _open(file: BinaryIO, path: Path) -> NoReturn:
    raise ImageError(f"{path}: {ADVICE}")


FORMAT = register_format(
    ImageFormat(
        name="JPEG XL",
        suffixes=(".jxl",),
        starts=lambda head: head.startswith((CODESTREAM, CONTAINER)),
        open=_open,
        reads="not yet",
        missing=lambda: ADVICE,
    )
)
