"""Reading images with 16 bits per colour channel, which no Pillow mode can represent."""

import io
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.ImageFile import ImageFile

Array = npt.NDArray[Any]
Deep = npt.NDArray[np.uint16]

FEW_BITS = "BGR;16"  # 16 bits for all three channels, in BMP files
ORDERS = {"B": ">u2", "L": "<u2", "N": "=u2"}


def raw_mode(image: ImageFile) -> str:
    """Return Pillow's name for the pixels in an image file that is not loaded yet, such as ``RGB;16B``."""
    arguments = image.tile[0].args if image.tile else ""
    return str(arguments[0] if isinstance(arguments, tuple) and arguments else arguments)


def is_deep(image: ImageFile) -> bool:
    """Return whether Pillow would cut the colours of an image that is not loaded yet from 16 bits to 8."""
    return ";16" in raw_mode(image) and raw_mode(image) != FEW_BITS and not image.mode.startswith("I;16")


def read_deep(image: ImageFile, file: BinaryIO | io.BytesIO) -> Deep:
    """Return all 16 bits of an image.

    Pillow keeps one byte of two, and its raw mode determines which. So the file is decoded twice, for the first and second bytes.

    Args:
        image: the open file, which is not loaded yet; it is loaded afterwards.
        file: the file that it was opened from.

    Raises:
        ValueError: if channels of this kind cannot be read in this way.
    """
    raw = raw_mode(image)
    channels, order = raw[:-1], raw[-1]
    if channels == "LA;16":  # four bytes per pixel, as in 8-bit colour with transparency
        pairs = _decoded(image, "RGBA").reshape(image.height, image.width, 2, 2)
    elif channels in ("RGB;16", "RGBA;16") and order in ORDERS:
        first = _decoded(image, f"{channels}B")
        pairs = np.stack((first, _decoded(Image.open(file), f"{channels}L")), axis=-1)
    else:
        raise ValueError(f"its pixels are of kind {raw}, with 16 bits per channel; convert it to 16-bit RGB or RGBA first")
    return np.ascontiguousarray(pairs).view(ORDERS[order])[..., 0].astype(np.uint16)


def with_transparency(pixels: Deep, colour: int | tuple[int, ...]) -> Deep:
    """Return the pixels with an added transparency channel; pixels of the colour that the file declares transparent are so."""
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    opaque = (pixels != np.array(colour)).any(axis=-1, keepdims=True)
    return np.concatenate((pixels, opaque * np.uint16(65535)), axis=-1)


def _decoded(image: ImageFile, raw: str) -> Array:
    """Return an image decoded by Pillow with a different raw mode."""
    image.tile = [tile._replace(args=(raw, *tile.args[1:]) if isinstance(tile.args, tuple) else raw) for tile in image.tile]
    return np.asarray(image)
