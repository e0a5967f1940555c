"""JPEG 2000: 8 bits, and 16 bits of grey, written without loss; Pillow would reduce 16 bits of colour to 8."""

import io
import struct
from pathlib import Path
from typing import Any, BinaryIO

from restorekit.errors import ImageError
from restorekit.images._metadata import comment_of, metadata_of
from restorekit.images.formats._pillow import encode, open_with_pillow
from restorekit.images.formats._record import Array, Content, ImageFormat, Info, register_format

BOX, CODESTREAM = b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"
SIZES = 36  # bytes from the marker's end to the first component's bits
HEADER = 2**20  # bytes to search for the boxes before the picture
FROM_PROFILE = 2  # method of a colour box


def _open(file: BinaryIO, path: Path) -> Content:
    head = file.read(HEADER)
    start = head.find(CODESTREAM) + len(CODESTREAM)
    count = int.from_bytes(head[start + SIZES : start + SIZES + 2], "big")
    bits = {(byte & 127) + 1 for byte in head[start + SIZES + 2 : start + SIZES + 2 + 3 * count : 3]}
    if not (bits == {8} or (bits == {16} and count == 1)):
        raise ImageError(
            f"{path} is a JPEG 2000 file with {count} channels of {', '.join(map(str, sorted(bits)))} bits, but only 8 are kept; "
            "convert it to TIFF first: opj_decompress -i in.jp2 -o out.tif"
        )
    if count > 4:
        raise ImageError(f"{path} has {count} channels, but at most colour and transparency can be kept; split it first")
    profile = _profile(head[:start])
    content = open_with_pillow(io.BytesIO(head + file.read()), path, "JPEG2000", metadata_of, by_rows=False)

    def info() -> dict[str, Any]:
        return content.info() | ({"icc_profile": profile} if profile else {})

    return Content(content.width, content.height, content.mode, content.pixels, info)


def _profile(boxes: bytes) -> bytes:
    """Return the colour profile, which Pillow does not read."""
    start = boxes.find(b"colr")
    length = struct.unpack(">I", boxes[start - 4 : start])[0] if start >= 4 else 0
    content = boxes[start + 4 : start - 4 + length]
    return content[3:] if content[:1] == bytes([FROM_PROFILE]) else b""


def _write(pixels: Array, path: Path, info: Info, quality: int | None) -> None:
    comment = comment_of(info)[:65000]
    encode(pixels, path, "JPEG2000", no_jp2=path.suffix == ".j2k", **({"comment": comment} if comment else {}))


FORMAT = register_format(
    ImageFormat(
        name="JPEG 2000",
        suffixes=(".jp2", ".j2k"),
        starts=lambda head: head.startswith((BOX, CODESTREAM)),
        open=_open,
        reads="8 bits, and 16 bits of grey; colour, transparency",
        modes=frozenset({"L", "LA", "RGB", "RGBA", "I;16"}),
        holds=frozenset({"comment"}),
        write=_write,
    )
)
