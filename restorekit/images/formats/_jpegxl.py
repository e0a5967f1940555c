"""JPEG XL: recognised, and refused with advice, since no library under a permissive licence also reads its colour profile."""

from pathlib import Path
from typing import BinaryIO, NoReturn

from restorekit.errors import ImageError
from restorekit.images.formats._record import ImageFormat, register_format

CODESTREAM, CONTAINER = b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"
ADVICE = "JPEG XL cannot be read; convert it first, without loss: djxl in.jxl out.png"


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
