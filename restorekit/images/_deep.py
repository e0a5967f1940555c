"""Reading images of 16 bits a colour channel, which no mode of Pillow holds."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.ImageFile import ImageFile

Array = npt.NDArray[Any]
Deep = npt.NDArray[np.uint16]

ORDERS = {"B": ">u2", "L": "<u2", "N": "=u2"}


def raw_mode(image: ImageFile) -> str:
    """Return how Pillow calls the pixels in the file of an image that is not loaded yet, such as ``RGB;16B``."""
    arguments = image.tile[0].args if image.tile else ""
    return str(arguments[0] if isinstance(arguments, tuple) and arguments else arguments)


def is_deep(image: ImageFile) -> bool:
    """Return whether Pillow would cut the colours of an image, which is not loaded yet, from 16 bits to 8."""
    return ";16" in raw_mode(image) and not image.mode.startswith("I;16")


def read_deep(image: ImageFile, path: Path) -> Deep:
    """Return all 16 bits of an image.

    Pillow keeps one byte of two, and its raw mode says which. So the file is decoded twice, for the first bytes and the second.

    Args:
        image: the open file, which is not loaded yet, and is after this.
        path: of the file.

    Raises:
        ValueError: if the channels are of a kind that cannot be read so.
    """
    raw = raw_mode(image)
    channels, order = raw[:-1], raw[-1]
    if channels == "LA;16":  # four bytes a pixel, which is what 8-bit colour with transparency is too
        pairs = _decoded(image, "RGBA").reshape(image.height, image.width, 2, 2)
    elif channels in ("RGB;16", "RGBA;16") and order in ORDERS:
        with Image.open(path) as again:
            pairs = np.stack((_decoded(image, f"{channels}B"), _decoded(again, f"{channels}L")), axis=-1)
    else:
        raise ValueError(f"its pixels are of the kind {raw}, with 16 bits a channel; convert it to 16-bit RGB or RGBA first")
    return np.ascontiguousarray(pairs).view(ORDERS[order])[..., 0].astype(np.uint16)


def with_transparency(pixels: Deep, colour: int | tuple[int, ...]) -> Deep:
    """Return the pixels with one channel more, in which those of the one colour that a file declares transparent are so."""
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    opaque = (pixels != np.array(colour)).any(axis=-1, keepdims=True)
    return np.concatenate((pixels, opaque * np.uint16(65535)), axis=-1)


def _decoded(image: ImageFile, raw: str) -> Array:
    """Return an image as Pillow decodes it in place of its own raw mode."""
    image.tile = [tile._replace(args=(raw, *tile.args[1:]) if isinstance(tile.args, tuple) else raw) for tile in image.tile]
    return np.asarray(image)
