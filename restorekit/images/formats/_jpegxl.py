"""JPEG XL: read at full depth through the program djxl; no Python library under a permissive licence also gets colours right."""

import io
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from restorekit.errors import ImageError
from restorekit.images.formats._png import open_png
from restorekit.images.formats._record import Content, ImageFormat, register_format

CODESTREAM, CONTAINER = b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"
PROGRAM = "djxl"
OFFSET = 4  # bytes before the EXIF data in their box


def _open(file: BinaryIO, path: Path) -> Content:
    metadata = dict(_metadata(file, path))
    with tempfile.TemporaryDirectory() as folder:
        converted = Path(folder) / "converted.png"
        done = subprocess.run([PROGRAM, str(path.resolve()), str(converted)], capture_output=True, text=True, check=False)
        if done.returncode or not converted.exists():
            raise ImageError(f"{path} cannot be read: {(done.stderr.strip().splitlines() or ['djxl failed'])[-1]}")
        content = open_png(io.BytesIO(converted.read_bytes()), path)
    about = content.info() | metadata
    return replace(content, info=lambda: about, by_rows=False, rescue=None)


def _metadata(file: BinaryIO, path: Path) -> Iterator[tuple[str, Any]]:
    """Yield EXIF and XMP data, which some versions of the program drop."""
    file.seek(0)
    if file.read(len(CONTAINER)) != CONTAINER:
        return
    while len(head := file.read(8)) == 8:
        size, name = int.from_bytes(head[:4], "big"), head[4:]
        if size == 1:
            size = int.from_bytes(file.read(8), "big") - 8
        if name == b"brob":
            raise ImageError(f"{path} has compressed metadata, which cannot be read; convert it first: {PROGRAM} in.jxl out.png")
        content = file.read(size - 8) if name in (b"Exif", b"xml ") and size > 8 else b""
        if name == b"Exif":
            yield "exif", b"Exif\0\0" + content[OFFSET:]
        elif name == b"xml ":
            yield "xmp", content
        elif size < 8:  # the last box
            return
        else:
            file.seek(size - 8, io.SEEK_CUR)


def _missing() -> str:
    install = "apt install libjxl-tools, or brew install jpeg-xl"
    return "" if shutil.which(PROGRAM) else f"JPEG XL needs the program {PROGRAM}: {install}"


FORMAT = register_format(
    ImageFormat(
        name="JPEG XL",
        suffixes=(".jxl",),
        starts=lambda head: head.startswith((CODESTREAM, CONTAINER)),
        open=_open,
        reads="8 and 16 bits, with the program `djxl`; grey, colour, transparency, animations",
        written_as=".png",
        missing=_missing,
    )
)
