"""What damaged files still have."""

import io
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import PngImagePlugin

from restorekit.errors import ImageError
from restorekit.images.formats._pillow import File, open_with_pillow
from restorekit.images.formats._png_rows import SIGNATURE
from restorekit.images.formats._record import Array

END, PROGRESSIVE, SCAN = b"\xff\xd9", b"\xff\xc2", b"\xff\xda"  # markers of a JPEG file
FILL = bytes(2**12)  # of a JPEG file: what is decoded from it is never grey
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by the colour type of a PNG file
PIECE = 2**16  # bytes that are decompressed at a time


def rows_lost(missing: int, height: int) -> str:
    """Describe how many rows are missing.

    Raises:
        ValueError: if all are.
    """
    if missing == height:
        raise ValueError("nothing is left of its pixels")
    if not missing:
        return "its end is missing, but all rows are there"
    return f"{missing} of {height} rows {'is' if missing == 1 else 'are'} missing or incomplete"


def make_grey(pixels: Array, transparent: bool) -> None:
    """Make pixels medium grey and opaque, in place."""
    most = np.iinfo(pixels.dtype).max
    pixels[:] = most // 2 + 1
    if transparent:
        pixels[..., -1] = most


def rescued_jpeg(file: BinaryIO, path: Path, end: int, *, gap: bool) -> tuple[Array, str]:
    """Return the pixels of a JPEG file that are left before a place, and what is missing.

    libjpeg makes missing blocks grey. The first row that changes with what follows the end of the file is the first that lacks
    something.

    Args:
        file: the open file.
        path: path of the file, for messages.
        end: where its pixels end.
        gap: whether something is missing before the end; where, is not known.
    """
    file.seek(0)
    content = file.read(end)

    def decoded(end: bytes) -> Array:
        return open_with_pillow(io.BytesIO(content + end), path, "JPEG").pixels()

    pixels = decoded(END)
    height, start = len(pixels), content.rfind(PROGRESSIVE)
    different = (pixels != decoded(FILL + END)).reshape(height, -1).any(axis=1)
    missing = height - int(different.argmax()) if different.any() else 0
    if gap:
        lost = f", and {rows_lost(missing, height)}" if missing else ""
        return pixels, f"something is missing or changed among its pixels: some are grey, shifted or of another colour{lost}"
    if start >= 0 and content.count(SCAN, start) > 1:
        return pixels, "its end is missing: all rows are there, perhaps with less detail"
    return pixels, rows_lost(missing, height)


def rescued_png(file: File, path: Path) -> tuple[Array, str]:
    """Return the pixels of a PNG file that is truncated, or wrong from a place on, and what is missing.

    Raises:
        ImageError: if the file is interlaced.
    """
    header, others, compressed = _chunks(file)
    width, height, bits, kind, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    if interlaced:
        raise ImageError(f"{path} is damaged and interlaced, so parts of all rows are missing; it cannot be restored")
    stride = 1 + -(-width * CHANNELS[kind] * bits // 8)
    rows = _decompressed(compressed, stride * height)
    rows = rows[: len(rows) // stride * stride]
    whole = io.BytesIO()
    whole.write(SIGNATURE)
    again = zlib.compress(rows.ljust(stride * height, b"\0"), 1)
    for name, content in ((b"IHDR", header), *others, (b"IDAT", again), (b"IEND", b"")):
        PngImagePlugin.putchunk(whole, name, content)
    opened = open_with_pillow(whole, path, "PNG")
    pixels = opened.pixels()
    present = len(rows) // stride
    make_grey(pixels[present:], "A" in opened.mode)
    return pixels, rows_lost(height - present, height)


def _chunks(file: File) -> tuple[bytes, list[tuple[bytes, bytes]], bytes]:
    """Return a PNG file's header, the other chunks before its pixels, and what is left of its compressed pixels."""
    file.seek(len(SIGNATURE))
    header, others, compressed = b"", list[tuple[bytes, bytes]](), b""
    while len(head := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        content, checksum = file.read(length), file.read(4)
        if len(checksum) == 4 and checksum != struct.pack(">I", zlib.crc32(name + content)):
            break
        if name == b"IHDR":
            header = content
        elif name == b"IDAT":
            compressed += content
        elif compressed or len(checksum) < 4:
            break
        else:
            others.append((name, content))
    return header, others, compressed


def _decompressed(compressed: bytes, size: int) -> bytes:
    """Return what can be decompressed."""
    stream, found = zlib.decompressobj(), bytearray()
    try:
        for start in range(0, len(compressed), PIECE):
            found += stream.decompress(compressed[start : start + PIECE], size - len(found) or 1)
            if len(found) >= size:
                break
    except zlib.error:
        pass
    return bytes(found[:size])
