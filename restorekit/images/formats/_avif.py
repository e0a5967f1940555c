"""AVIF: 8 bits through Pillow; 10 and 12 bits are read through libvips, which keeps them."""

import importlib.util
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from restorekit.errors import ImageError
from restorekit.images._metadata import exif_with_resolution, with_exif_resolution
from restorekit.images.formats._animation import encode_animation, open_animation
from restorekit.images.formats._isobmff import brands, property_of, refuse_hdr_in
from restorekit.images.formats._jpeg import lossy_options
from restorekit.images.formats._pillow import encode
from restorekit.images.formats._record import Array, Content, ImageFormat, Info, register_format
from restorekit.images.formats._scaled import to_sixteen_bits

HIGH, TWELVE = 0x40, 0x20  # bits of the third byte of the property av1C


def _open(file: BinaryIO, path: Path) -> Content:
    refuse_hdr_in(file, path)
    flags = property_of(file, b"av1C")[2:3] or b"\0"
    content = open_animation(file, path, "AVIF", with_exif_resolution)
    if not flags[0] & HIGH or content.frames > 1:
        return content
    if importlib.util.find_spec("pyvips") is None:
        raise ImageError(
            f"{path} has 10 or 12 bits per channel, which Pillow cuts to 8; pip install 'restorekit[io]', or convert it to a "
            "16-bit PNG first"
        )
    bits = 12 if flags[0] & TWELVE else 10
    return Content(content.width, content.height, f"{content.mode};16", lambda: _deep(path, bits), content.info)


def _deep(path: Path, bits: int) -> Array:
    import pyvips

    pixels: Array = pyvips.Image.new_from_file(str(path)).numpy()
    return to_sixteen_bits(pixels >> (16 - bits), bits)


def _options(info: Info, quality: int | None) -> dict[str, Any]:
    return lossy_options(quality) | exif_with_resolution(info)


def _write(pixels: Array, path: Path, info: Info, quality: int | None) -> None:
    encode(np.ascontiguousarray(pixels), path, "AVIF", **_options(info, quality))


def _write_several(frames: Iterable[tuple[Array, Info]], count: int, path: Path, quality: int | None) -> None:
    encode_animation(frames, count, path, "AVIF", lambda info: _options(info, quality))


def _missing() -> str:
    return "" if importlib.util.find_spec("PIL._avif") else "this Pillow does not support AVIF; pip install 'pillow>=11.3'"


FORMAT = register_format(
    ImageFormat(
        name="AVIF",
        suffixes=(".avif",),
        starts=lambda head: bool(brands(head) & {b"avif", b"avis"}),
        open=_open,
        reads="8 bits, and with the extra `io` 10 and 12 bits; colour, transparency",
        modes=frozenset({"L", "LA", "RGB", "RGBA"}),
        holds=frozenset({"icc_profile", "exif", "xmp", "dpi"}),
        write=_write,
        several="frames",
        write_several=_write_several,
        quality=True,
        lossless=False,
        missing=_missing,
    )
)
