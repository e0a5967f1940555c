"""Files that Pillow opens and encodes, for formats that it reads completely."""

import io
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from restorekit.errors import ImageError
from restorekit.images._colour import cmyk_to_srgb, srgb_profile
from restorekit.images._deep import is_deep, raw_mode, read_deep, with_transparency
from restorekit.images._metadata import metadata_of
from restorekit.images._modes import normal_mode_of, to_array
from restorekit.images.formats._record import MODE_OF, Array, Content

File = BinaryIO | io.BytesIO
FEW_BITS = {"L;2": 85, "L;4": 17}  # factor to 8 bits
_OPENING = threading.Lock()  # Pillow's limit is shared by all threads


def open_with_pillow(
    file: File,
    path: Path,
    name: str,
    metadata: Callable[[ImageFile], dict[str, Any]] = metadata_of,
    *,
    by_rows: bool = True,
    page: int = 0,
) -> Content:
    """Return the content of a file read by Pillow.

    Args:
        file: the open file.
        path: path of the file, for messages.
        name: Pillow's name of the format.
        metadata: reads the metadata to keep from an image.
        by_rows: whether libvips reads the format like Pillow, except for palettes.
        page: which page of a file with several to open, from 0.
    """
    image = pillow_image(file, name)
    if page:
        image.seek(page)
    scale = FEW_BITS.get(raw_mode(image))
    if scale and isinstance(image.info.get("transparency"), int):  # which Pillow does not scale with the pixels
        image.info["transparency"] *= scale
    if image.mode == "CMYK" and not image.info.get("icc_profile"):
        raise ImageError(
            f"{path} is a CMYK image without a colour profile; convert it to RGB first, with the profile of its printer"
        )

    def info() -> dict[str, Any]:
        return metadata(image) | ({"icc_profile": srgb_profile()} if image.mode == "CMYK" else {})

    mode = mode_of(image)
    plain = re.sub(r"(;16)[BLN]$", r"\1", raw_mode(image)) in MODE_OF.values() and "transparency" not in image.info
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)  # a phone's preview or gain map is not a frame
    return Content(*image.size, mode, lambda: decoded(image, file), info, frames, by_rows=by_rows and plain)


def pillow_image(file: File, name: str) -> ImageFile:
    """Return an image of which only the header has been read."""
    with _OPENING, _any_size():
        file.seek(0)
        try:
            return Image.open(file, formats=[name])
        except UnidentifiedImageError as error:  # its message describes a Python object
            raise ValueError(f"its header is not that of a {name} file, or is damaged") from error


def mode_of(image: ImageFile) -> str:
    """Return the mode that the pixels of an image will have."""
    if not is_deep(image):
        return normal_mode_of(image)
    channels = raw_mode(image)[:-1]
    transparent = "transparency" in image.info and "A" not in channels
    return channels.replace(";16", "A;16") if transparent else channels


def decoded(image: ImageFile, file: File) -> Array:
    """Return the pixels of an image, with all their bits."""
    transparent = image.info.get("transparency")
    if is_deep(image):
        pixels: Array = read_deep(image, file)
    else:
        image.load()
        pixels = to_array(cmyk_to_srgb(image) if image.mode == "CMYK" else image)
    return with_transparency(pixels, transparent) if pixels.dtype == np.uint16 and transparent is not None else pixels


def encode(pixels: Array, path: Path, name: str, **options: Any) -> None:
    """Write pixels, encoded by Pillow.

    They are encoded in memory first: Pillow's encoders do not notice when a disk takes only a part of a write.
    """
    path.write_bytes(encoded(Image.fromarray(pixels), name, **options))


def encoded(image: Image.Image, name: str, **options: Any) -> memoryview:
    """Return an image as a file, encoded by Pillow."""
    file = io.BytesIO()
    image.save(file, format=name, **options)
    return file.getbuffer()


@contextmanager
def _any_size() -> Iterator[None]:
    """Let Pillow open images of any size; its limit is meant for servers that receive images from others."""
    limit = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit
