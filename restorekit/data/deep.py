"""Images of 16 bits a colour channel, which no mode of Pillow holds."""

import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, PngImagePlugin
from PIL.ImageFile import ImageFile

Array = npt.NDArray[Any]
Deep = npt.NDArray[np.uint16]

ROWS = 256  # that are compressed at a time
PNG_COLOUR = {1: 0, 2: 4, 3: 2, 4: 6}  # the format's number for each number of channels
PAETH = 4
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


def write_deep_png(pixels: Deep, path: Path, options: Mapping[str, Any]) -> None:
    """Write a PNG file of 16 bits a channel.

    Args:
        pixels: H x W, or H x W x C with 1 to 4 channels.
        path: where to.
        options: what Pillow's own writer takes: ``icc_profile``, ``exif``, ``dpi`` and ``pnginfo``.
    """
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    height, width, channels = pixels.shape
    with path.open("wb") as file:

        def chunk(name: bytes, *content: bytes) -> None:
            PngImagePlugin.putchunk(file, name, *content)

        file.write(b"\x89PNG\r\n\x1a\n")
        chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, PNG_COLOUR[channels], 0, 0, 0))
        if profile := options.get("icc_profile"):
            chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(profile))
        if dpi := options.get("dpi"):
            chunk(b"pHYs", struct.pack(">IIB", *(round(float(dots) / 0.0254) for dots in dpi), 1))
        if exif := options.get("exif"):
            chunk(b"eXIf", exif.removeprefix(b"Exif\0\0"))
        if "pnginfo" in options:
            for name, content, *_ in options["pnginfo"].chunks:
                chunk(name, content)
        compress = zlib.compressobj(6, strategy=zlib.Z_FILTERED)
        above = np.zeros((1, width, 2 * channels), np.uint8)
        for top in range(0, height, ROWS):
            block = np.ascontiguousarray(pixels[top : top + ROWS], ">u2").view(np.uint8).reshape(-1, width, 2 * channels)
            filtered = _paeth(block, above).reshape(len(block), -1)
            chunk(b"IDAT", compress.compress(np.insert(filtered, 0, PAETH, axis=1).tobytes()))
            above = block[-1:]
        chunk(b"IDAT", compress.flush())
        chunk(b"IEND", b"")


def _paeth(block: Array, above: Array) -> Array:
    """Return the differences between bytes and what the PNG format's Paeth filter predicts from left, above and above left."""
    up = np.concatenate((above, block[:-1])).astype(np.int16)
    left, corner = (np.pad(x, ((0, 0), (1, 0), (0, 0)))[:, :-1] for x in (block.astype(np.int16), up))
    estimate = left + up - corner
    to_left, to_up, to_corner = abs(estimate - left), abs(estimate - up), abs(estimate - corner)
    nearest = np.where((to_left <= to_up) & (to_left <= to_corner), left, np.where(to_up <= to_corner, up, corner))
    return (block - nearest).astype(np.uint8)
