"""PNG: 8 and 16 bits, and all chunks that describe the picture."""

import io
import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from restorekit.errors import ImageError, printable
from restorekit.images._metadata import chosen, comment_of, metadata_of, refuse_hdr
from restorekit.images.formats._animation import open_animation
from restorekit.images.formats._apng import write_apng
from restorekit.images.formats._pillow import File, encode
from restorekit.images.formats._png_rows import SIGNATURE, PngWriter
from restorekit.images.formats._record import MODE_OF, Array, Content, ImageFormat, Info, register_format
from restorekit.images.formats._rescue import rescued_png

LEVEL = 3  # of compression: 5 % more bytes than level 6, in a third of the time
PIXELS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"acTL", b"fcTL", b"fdAT"}  # the other chunks describe the image
CRITICAL = {b"IHDR", b"PLTE", b"IDAT", b"IEND"}  # a reader must understand chunks whose names begin with a capital letter
KNOWN = {b"iCCP", b"eXIf", b"pHYs"}  # read and written by Pillow
COLOUR = {b"gAMA", b"cHRM", b"sRGB", b"cICP"}
TEXT = {b"tEXt", b"zTXt", b"iTXt"}
RAW = COLOUR | TEXT | {b"tIME"}  # kept as they are
TRANSPARENT = {0: 2, 2: 6}  # number of bytes of a transparent colour, by the colour type
SRGB_GAMMA, SRGB_PRIMARIES = 45455, (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
XMP = b"XML:com.adobe.xmp\0"
IPTC = b"Raw profile type iptc\0"
LONGEST = 2**26  # bytes of a compressed text after decompression


def open_png(file: File, path: Path) -> Content:
    """Return the content of a PNG file; its chunks are checked wherever they are."""
    chunks = list(_describing(file, path))
    colours = {name: content for name, content in chunks if name in COLOUR}
    if len(cicp := colours.get(b"cICP", b"")) == 4:
        refuse_hdr(path, cicp[0], cicp[1], matrix="gbr")
    described = _metadata(chunks, colours)
    content = open_animation(file, path, "PNG", lambda image: described, by_rows=True)
    rescue = (lambda: rescued_png(file, path)) if content.frames == 1 else None
    return replace(content, info=lambda: described, rescue=rescue)


def write_png(pixels: Array, path: Path, info: Info, quality: int | None) -> None:
    """Write a PNG file; 16-bit colour is written by rows, since Pillow has no modes for it."""
    shaped = np.atleast_3d(pixels)
    if shaped.shape[2] > 1 and shaped.itemsize > 1:
        with closing(PngWriter(path, shaped.shape, 8 * shaped.itemsize, _options(info))) as writer:
            writer.write(shaped)
            writer.finish()
    else:
        encode(pixels, path, "PNG", compress_level=LEVEL, **_options(info))


def _options(info: Info) -> dict[str, Any]:
    """Return the options that make Pillow write the metadata."""
    options = chosen(info, "icc_profile", "exif", "dpi")
    raw = info.get("chunks", ())
    chunks = PngImagePlugin.PngInfo()
    if xmp := info.get("xmp"):
        chunks.add_itxt("XML:com.adobe.xmp", xmp.decode("utf-8", "replace"))
    if iptc := info.get("iptc"):
        digits = re.sub("(.{72})", r"\1\n", iptc.hex())
        chunks.add_text(IPTC[:-1].decode(), f"\niptc\n{len(iptc):8d}\n{digits}\n", zip=True)
    for name, content in raw:
        if name != b"sRGB" or not info.get("icc_profile"):  # a file must have only one of the two
            chunks.add(name, content)
    if not raw and (comment := comment_of(info)):
        chunks.add_itxt("Comment", comment.decode("utf-8", "replace"))
    return options | ({"pnginfo": chunks} if chunks.chunks else {})


def _metadata(chunks: list[tuple[bytes, bytes]], colours: dict[bytes, bytes]) -> dict[str, Any]:
    """Return the metadata of the chunks that describe a picture."""
    info = _known([(name, content) for name, content in chunks if name in KNOWN or content.startswith(XMP)])
    once = {name: content for name, content in chunks if name in RAW - TEXT}
    raw = [*once.items(), *((name, content) for name, content in chunks if name in TEXT and not content.startswith(XMP))]
    texts: list[tuple[str, str]] = []
    for name, content in [chunk for chunk in raw if chunk[0] in TEXT]:
        if content.startswith(IPTC) and (iptc := _iptc(_text(name, content)[1])):
            info["iptc"] = iptc
            raw.remove((name, content))
        else:
            texts.append(_text(name, content))
    if raw:
        info["chunks"] = tuple(raw)
    if texts:
        info["text"] = tuple(texts)
    if "icc_profile" not in info and (words := _colour_words(colours)):
        info["colour"] = words
    return info


def _known(chunks: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    """Return the metadata that Pillow reads from chunks, which it gets in a file of one pixel."""
    small = io.BytesIO()
    small.write(SIGNATURE)
    PngImagePlugin.putchunk(small, b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    for name, content in chunks:
        PngImagePlugin.putchunk(small, name, content)
    PngImagePlugin.putchunk(small, b"IDAT", zlib.compress(b"\0\0"))
    PngImagePlugin.putchunk(small, b"IEND", b"")
    with Image.open(small, formats=["PNG"]) as image:
        image.load()
        return metadata_of(image)


def _describing(file: File, path: Path) -> Iterator[tuple[bytes, bytes]]:
    """Yield the name and content of the chunks of a PNG file that describe the picture."""
    file.seek(len(SIGNATURE))
    kind, pixels = 0, False
    while len(head := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        if not (pixels or name in CRITICAL or name[0] & 32):
            raise ImageError(
                f"{path} has the chunk {printable(name.decode('latin-1'))}, without which its pixels cannot be understood; "
                "if it is from an app for iPhone, convert it first: pngcrush -revert-iphone-optimizations in.png out.png"
            )
        if name in PIXELS - {b"IHDR", b"tRNS"} or name not in RAW | KNOWN | {b"IHDR", b"tRNS"}:
            pixels |= name == b"IDAT"
            file.seek(length + 4, 1)
            if name == b"IEND":
                return
            continue
        content, checksum = file.read(length), file.read(4)
        if checksum != struct.pack(">I", zlib.crc32(name + content)):
            raise ImageError(f"{path} is damaged: the checksum of its chunk {name.decode()} is wrong")
        if name == b"IHDR":
            kind = content[9]
        elif name == b"tRNS" and (pixels or length != TRANSPARENT.get(kind, length)):
            what = "after its pixels" if pixels else f"{length} bytes long, but needs {TRANSPARENT[kind]}"
            raise ImageError(f"{path} is damaged: its chunk tRNS (transparency) is {what}")
        elif name != b"tRNS":
            yield name, content


def _text(kind: bytes, content: bytes) -> tuple[str, str]:
    """Return the name and text of a chunk; the text of a damaged chunk is empty."""
    name, _, rest = content.partition(b"\0")
    packed, encoding = kind == b"zTXt", "latin-1"
    if kind == b"iTXt":
        packed, encoding = rest[:1] == b"\1", "utf-8"
        rest = rest[2:].split(b"\0", 2)[-1]
    elif packed:
        rest = rest[1:]
    if packed:
        try:
            rest = zlib.decompressobj().decompress(rest, LONGEST)
        except zlib.error:
            rest = b""
    return name.decode("latin-1"), rest.decode(encoding, "replace")


def _iptc(text: str) -> bytes:
    """Return IPTC data from the hexadecimal digits that ImageMagick and ExifTool write; empty if these are not IPTC data."""
    try:
        data = bytes.fromhex("".join(text.split()[2:]))
    except ValueError:
        return b""
    return data if data.startswith(b"\x1c") else b""


def _colour_words(colours: dict[bytes, bytes]) -> str:
    """Describe the colour space in the colour chunks if it is not sRGB; the more exact chunk counts."""
    try:
        if b"cICP" in colours:
            space, transfer = colours[b"cICP"][:2]
            return "" if (space, transfer) in ((1, 13), (2, 2)) else f"the colour space {space}/{transfer} of a cICP chunk"
        if b"sRGB" in colours:
            return ""
        gamma = struct.unpack(">I", colours[b"gAMA"])[0] if b"gAMA" in colours else SRGB_GAMMA
        primaries = struct.unpack(">8I", colours[b"cHRM"]) if b"cHRM" in colours else SRGB_PRIMARIES
    except (struct.error, ValueError):
        return ""
    if abs(gamma - SRGB_GAMMA) > 500:
        return f"a gamma of {gamma / 1e5:.2f}"
    return "other primary colours than sRGB" if any(abs(a - b) > 50 for a, b in zip(primaries, SRGB_PRIMARIES, strict=True)) else ""


FORMAT = register_format(
    ImageFormat(
        name="PNG",
        suffixes=(".png",),
        starts=lambda head: head.startswith(SIGNATURE),
        open=open_png,
        reads="1 to 8 and 16 bits; grey, colour, palettes, transparency",
        modes=frozenset(MODE_OF.values()),
        holds=frozenset({"icc_profile", "exif", "xmp", "iptc", "dpi", "comment", "text", "colour"}),
        write=write_png,
        several="frames",
        write_several=lambda frames, count, path, quality: write_apng(frames, count, path, _options),
        rows=lambda path, shape, bits, info, quality: PngWriter(path, shape, bits, _options(info), level=LEVEL),
    )
)
