"""JPEG: 8 bits, grey and colour; of a phone's file with several pictures, only the photograph."""

import re
import struct
from dataclasses import replace
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any, BinaryIO

import simplejpeg
from PIL import Image

from restorekit.images._metadata import chosen, comment_of, metadata_of
from restorekit.images.formats._jpeg_rows import JpegWriter
from restorekit.images.formats._pillow import encode, open_with_pillow
from restorekit.images.formats._record import Array, Content, ImageFormat, Info, register_format
from restorekit.images.formats._rescue import rescued_jpeg

QUALITY = 95
SUBSAMPLED_BELOW = 90  # quality, below which colour at full resolution is not worth its bytes
IPTC = 0x0404  # among the resources of the segment that Photoshop introduced
LONGEST = 65533  # bytes of a segment
START, END = b"\xff\xd8", b"\xd9"
MARKER = re.compile(rb"\xff([\x02-\xcf\xd8-\xfe])", re.DOTALL)  # but those that restart the decoder among the pixels
LENGTHY = re.compile(rb"[\xc0-\xcf\xda-\xef\xfe]")  # markers of segments, which begin with their length
LACKING = re.compile(  # libjpeg's warnings about missing pixels; it also warns of bytes before the end, which cameras write
    r"premature end|bad Huffman code|found marker 0x\w\w instead of|extraneous bytes before marker 0x(?!d9)", re.IGNORECASE
)


def lossy_options(quality: int | None) -> dict[str, Any]:
    """Return the options that make Pillow compress with a quality; the default is visually lossless."""
    quality = QUALITY if quality is None else quality
    return {"quality": quality, "subsampling": "4:2:0" if quality < SUBSAMPLED_BELOW else "4:4:4"}


def _open(file: BinaryIO, path: Path) -> Content:
    content = open_with_pillow(file, path, "JPEG", _metadata)
    damage, end = _damage(file)

    def check() -> None:
        _check_pixels(file, end)

    def pixels() -> Array:
        check()
        return content.pixels()

    return replace(content, pixels=pixels, check=check, damage=damage, rescue=lambda: rescued_jpeg(file, path, end, gap=not damage))


def _damage(file: BinaryIO) -> tuple[str, int]:
    """Return in words how the order of the markers is damaged, and where its pixels end; libjpeg notices it late or never."""
    with mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        place = len(START)
        while found := MARKER.search(content, place):
            if found[1] == END:
                return "", found.start()
            if not LENGTHY.match(found[1]):
                return f"there is an unknown marker, {found[1].hex()}, in it", found.start()
            place = found.end() + int.from_bytes(content[found.end() : found.end() + 2], "big")
            if place > len(content) - 2:
                return "its end is missing", found.start()
        return "its end is missing", len(content)


def _check_pixels(file: BinaryIO, end: int) -> None:
    """Raise an error if pixels are missing before the end: Pillow and libvips make them up, and do not pass libjpeg's warnings on.

    The picture is decoded at an eighth of its size, which is quick and needs little memory.
    """
    with mmap(file.fileno(), 0, access=ACCESS_READ) as content, memoryview(content) as view, view[: end + 2] as one:
        try:
            simplejpeg.decode_jpeg(one, "GRAY", min_height=1, min_width=1, min_factor=1, strict=True)
        except ValueError as error:  # for kinds of files that only Pillow reads, too
            if LACKING.search(words := str(error).removeprefix("Corrupt JPEG data: ")):
                raise ValueError(f"pixels are missing or damaged in it ({words})") from error


def _metadata(image: Image.Image) -> dict[str, Any]:
    info, resources = metadata_of(image), image.info.get("photoshop")
    return info | ({"iptc": bytes(resources[IPTC])} if resources and resources.get(IPTC) else {})


def _options(info: Info, quality: int | None) -> dict[str, Any]:
    options = lossy_options(quality) | chosen(info, "icc_profile", "exif", "xmp", "dpi")
    if comment := comment_of(info):
        options["comment"] = comment[: LONGEST - 2]
    if iptc := info.get("iptc"):
        resource = b"8BIM" + struct.pack(">HHI", IPTC, 0, len(iptc)) + iptc + bytes(len(iptc) % 2)
        segment = b"Photoshop 3.0\0" + resource
        if len(segment) + 2 > LONGEST:
            raise ValueError(
                f"its IPTC data have {len(iptc)} bytes, but a JPEG file can store about {LONGEST}; write a .tif or .png"
            )
        options["extra"] = b"\xff\xed" + struct.pack(">H", len(segment) + 2) + segment
    return options


def _write(pixels: Array, path: Path, info: Info, quality: int | None) -> None:
    encode(pixels, path, "JPEG", **_options(info, quality))


FORMAT = register_format(
    ImageFormat(
        name="JPEG",
        suffixes=(".jpg", ".jpeg"),
        starts=lambda head: head.startswith(b"\xff\xd8\xff"),
        open=_open,
        reads="8 bits; grey, colour, CMYK with a profile",
        modes=frozenset({"L", "RGB"}),
        holds=frozenset({"icc_profile", "exif", "xmp", "iptc", "dpi", "comment"}),
        write=_write,
        rows=lambda path, shape, bits, info, quality: JpegWriter(path, shape, _options(info, quality)),
        quality=True,
        lossless=False,
    )
)
