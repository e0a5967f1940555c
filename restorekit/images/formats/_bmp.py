"""BMP: 8 bits, grey and colour, and only the resolution as metadata."""

from pathlib import Path
from typing import BinaryIO

from restorekit.images._metadata import chosen
from restorekit.images.formats._pillow import encode, open_with_pillow
from restorekit.images.formats._record import Array, Content, ImageFormat, Info, register_format


def _open(file: BinaryIO, path: Path) -> Content:
    return open_with_pillow(file, path, "BMP", by_rows=False)


def _write(pixels: Array, path: Path, info: Info, quality: int | None) -> None:
    encode(pixels, path, "BMP", **chosen(info, "dpi"))


FORMAT = register_format(
    ImageFormat(
        name="BMP",
        suffixes=(".bmp",),
        starts=lambda head: head.startswith(b"BM"),
        open=_open,
        reads="1 to 8 bits; grey, colour, palettes",
        modes=frozenset({"L", "RGB"}),
        holds=frozenset({"dpi"}),
        write=_write,
    )
)
