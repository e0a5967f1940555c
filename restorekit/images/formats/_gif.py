"""GIF: pictures and animations, of at most 256 colours each; a restored picture is written with the best 256 for it."""

import io
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import GifImagePlugin, Image

from restorekit.images._metadata import comment_of, metadata_of
from restorekit.images.formats._animation import RoundedDurations, open_animation
from restorekit.images.formats._record import Array, Content, ImageFormat, Info, register_format

TRANSPARENT, OPAQUE = 255, 128  # number of the colour that is transparent; transparency from which on a pixel is opaque
KEEP, CLEAR = 1, 2  # what becomes of a frame before the next one
APPLICATION = b"!\xff\x0b"
ICC, XMP, PLAYS = b"ICCRGBG1012", b"XMP DataXMP", b"NETSCAPE2.0"
AFTER_XMP = bytes([1, *range(255, -1, -1), 0])  # so that programs that do not know XMP find the end of the block
BLOCK = 255  # bytes


def _open(file: BinaryIO, path: Path) -> Content:
    content = file.read()
    extensions: dict[str, bytes] = {}
    if found := re.search(re.escape(APPLICATION + XMP) + rb"(.*?)" + re.escape(AFTER_XMP), content, re.DOTALL):
        extensions["xmp"] = found[1]
    if found := re.search(re.escape(APPLICATION + ICC), content):
        extensions["icc_profile"] = _joined(content, found.end())
    return open_animation(io.BytesIO(content), path, "GIF", lambda image: metadata_of(image) | extensions)


def _joined(content: bytes, place: int) -> bytes:
    """Return the content of the blocks that start at a place."""
    found = b""
    while place < len(content) and (size := content[place]):
        found += content[place + 1 : place + 1 + size]
        place += 1 + size
    return found


def _blocks(content: bytes) -> bytes:
    """Return content as blocks."""
    parts = [content[i : i + BLOCK] for i in range(0, len(content), BLOCK)]
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


def _head(size: tuple[int, int], info: Info) -> bytes:
    """Return all that comes before the first frame."""
    head = b"GIF89a" + b"".join(side.to_bytes(2, "little") for side in size) + bytes(3)
    if (plays := info.get("plays", 1)) != 1:
        head += APPLICATION + PLAYS + _blocks(b"\1" + max(0, plays - 1).to_bytes(2, "little"))
    if profile := info.get("icc_profile"):
        head += APPLICATION + ICC + _blocks(profile)
    if xmp := info.get("xmp"):
        head += APPLICATION + XMP + xmp + AFTER_XMP
    comment = comment_of(info)
    return head + (b"!\xfe" + _blocks(comment) if comment else b"")


def _frame(pixels: Array, milliseconds: int) -> bytes:
    """Return a frame with its own palette; dithered, unless it has few enough colours."""
    image = Image.fromarray(pixels)
    rgb = image.convert("RGB")
    palette = rgb.quantize(TRANSPARENT, dither=Image.Dither.NONE)
    reduced = np.array(rgb.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG))
    options: dict[str, Any] = {"disposal": KEEP}
    if "A" in image.mode:
        reduced[np.asarray(image.getchannel("A")) < OPAQUE] = TRANSPARENT
        options = {"disposal": CLEAR, "transparency": TRANSPARENT}
    indexed = Image.fromarray(reduced)
    indexed.putpalette(bytes(palette.getpalette() or []).ljust(768, b"\0"))
    return b"".join(GifImagePlugin.getdata(indexed, duration=milliseconds, include_color_table=True, **options))


def _write_several(frames: Iterable[tuple[Array, Info]], count: int, path: Path, quality: int | None) -> None:
    rounded = RoundedDurations(10)
    with path.open("wb") as file:
        for pixels, info in frames:
            if not file.tell():
                file.write(_head((pixels.shape[1], pixels.shape[0]), info))
            if info.get("hidden"):
                continue
            file.write(_frame(pixels, rounded(info.get("duration", 0))))
        file.write(b";")


FORMAT = register_format(
    ImageFormat(
        name="GIF",
        suffixes=(".gif",),
        starts=lambda head: head.startswith((b"GIF87a", b"GIF89a")),
        open=_open,
        reads="palettes of 8 bits per channel, transparency",
        modes=frozenset({"L", "LA", "RGB", "RGBA"}),
        holds=frozenset({"icc_profile", "xmp", "comment"}),
        write=lambda pixels, path, info, quality: _write_several([(pixels, info)], 1, path, quality),
        several="frames",
        write_several=_write_several,
        lossless=False,
    )
)
