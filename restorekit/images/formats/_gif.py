"""GIF: read only, since its 256 colours are too few for a restored picture."""

from pathlib import Path
from typing import BinaryIO

from restorekit.images.formats._pillow import open_with_pillow
from restorekit.images.formats._record import Content, ImageFormat, register_format


def _open(file: BinaryIO, path: Path) -> Content:
    return open_with_pillow(file, path, "GIF", by_rows=False)


FORMAT = register_format(
    ImageFormat(
        name="GIF",
        suffixes=(".gif",),
        starts=lambda head: head.startswith((b"GIF87a", b"GIF89a")),
        open=_open,
        reads="palettes of 8 bits per channel, transparency; one frame",
    )
)
