"""The modes of PIL images, and those in which pixels are read."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from restorekit.errors import ImageError
from restorekit.images._metadata import KEPT

Array = npt.NDArray[Any]

NORMAL = ("L", "LA", "RGB", "RGBA", "I;16")


def normal_mode_of(image: Image.Image) -> str:
    """Return which of the modes L, LA, RGB, RGBA and I;16 can represent an image without loss.

    Raises:
        ImageError: if none can.
    """
    transparent = "transparency" in image.info
    mode = {
        "1": "LA" if transparent else "L",
        "L": "LA" if transparent else "L",
        "P": "RGBA" if transparent else "RGB",
        "PA": "RGBA",
        "RGB": "RGBA" if transparent else "RGB",
        "CMYK": "RGB",
        "RGBa": "RGBA",
        "La": "LA",
        "I;16B": "I;16",
        "I;16L": "I;16",
        "I;16N": "I;16",
    }.get(image.mode, image.mode)
    if mode == "I;16" and transparent:
        return "LA;16"
    if mode not in NORMAL:
        raise ImageError(f"images of mode {image.mode} are not supported; convert it to RGB first, with its colour profile")
    return mode


def normal_mode(image: Image.Image) -> Image.Image:
    """Return the image in one of the modes L, LA, RGB, RGBA and I;16; palettes and bilevel images become colour or grey.

    Raises:
        ImageError: if that is not possible without loss.
    """
    if image.mode in ("I;16B", "I;16L", "I;16N"):  # Pillow's own conversion would clip to 8 bits
        return from_array(np.asarray(image).astype(np.uint16), image.info)
    if image.mode == "CMYK":
        raise ImageError("images of mode CMYK are not supported; convert it to RGB first, with its colour profile")
    mode = normal_mode_of(image)
    return image if image.mode in (mode, "I;16") else image.convert(mode)


def to_array(image: Image.Image) -> Array:
    """Return the pixels of a PIL image: H x W (grey) or H x W x C, 8 or 16 bits; transparency is the last channel.

    Raises:
        ImageError: if the image's mode cannot be represented so.
    """
    return np.array(normal_mode(image))  # a copy, which may be written to


def from_array(pixels: Array, info: Mapping[Any, Any]) -> Image.Image:
    """Return a PIL image of 8- or 16-bit pixels, with the colour profile, EXIF and XMP data and resolution of ``info``."""
    image = Image.fromarray(pixels)
    image.info |= {key: info[key] for key in KEPT if key in info}
    return image
