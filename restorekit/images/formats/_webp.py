"""WebP: 8-bit colour, with transparency; lossless unless a quality is given."""

from pathlib import Path
from typing import BinaryIO

from restorekit.images._metadata import exif_with_resolution, with_exif_resolution
from restorekit.images.formats._pillow import encode, open_with_pillow
from restorekit.images.formats._record import Array, Content, ImageFormat, Info, register_format


def _open(file: BinaryIO, path: Path) -> Content:
    return open_with_pillow(file, path, "WEBP", with_exif_resolution, by_rows=False)


def _write(pixels: Array, path: Path, info: Info, quality: int | None) -> None:
    options = {"lossless": True, "exact": True} if quality is None else {"quality": quality}
    encode(pixels, path, "WEBP", **options, **exif_with_resolution(info))


FORMAT = register_format(
    ImageFormat(
        name="WebP",
        suffixes=(".webp",),
        starts=lambda head: head.startswith(b"RIFF") and head[8:12] == b"WEBP",
        open=_open,
        reads="8 bits; colour, transparency",
        modes=frozenset({"L", "RGB", "RGBA"}),
        holds=frozenset({"icc_profile", "exif", "xmp", "dpi"}),
        write=_write,
        quality=True,
    )
)
