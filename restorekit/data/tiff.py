"""Writing TIFF files."""

import sys
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import TiffImagePlugin, TiffTags

Array = npt.NDArray[Any]

ROWS = 256  # of a strip


def write_tiff(pixels: Array, path: Path, options: Mapping[str, Any]) -> None:
    """Write a TIFF file, compressed without loss.

    Pillow's own writer has no modes for 16 bits of colour, and cannot write EXIF data to compressed files.

    Args:
        pixels: H x W, or H x W x C with 1 to 4 channels; 8 or 16 bits.
        path: where to.
        options: ``icc_profile``, ``dpi``, and tags as ``exif``.
    """
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    height, width, channels = pixels.shape
    little = sys.byteorder == "little"
    tags = TiffImagePlugin.ImageFileDirectory_v2(prefix=b"II" if little else b"MM")
    exif = options.get("exif", {})
    for tag in exif:
        tags[tag] = exif.get_ifd(tag) if tag in TiffTags.TAGS_V2_GROUPS else exif[tag]
    if profile := options.get("icc_profile"):
        tags[TiffImagePlugin.ICCPROFILE] = profile
    if dpi := options.get("dpi"):
        tags[TiffImagePlugin.RESOLUTION_UNIT] = 2  # inches
        tags[TiffImagePlugin.X_RESOLUTION], tags[TiffImagePlugin.Y_RESOLUTION] = dpi
    differences = np.diff(pixels, axis=1, prepend=np.zeros((height, 1, channels), pixels.dtype))
    strips = [zlib.compress(differences[top : top + ROWS].tobytes()) for top in range(0, height, ROWS)]
    tags[TiffImagePlugin.IMAGEWIDTH], tags[TiffImagePlugin.IMAGELENGTH] = width, height
    tags[TiffImagePlugin.BITSPERSAMPLE] = (8 * pixels.itemsize,) * channels
    tags[TiffImagePlugin.SAMPLESPERPIXEL] = channels
    tags[TiffImagePlugin.PHOTOMETRIC_INTERPRETATION] = 2 if channels > 2 else 1  # colour, or black is zero
    if channels in (2, 4):
        tags[TiffImagePlugin.EXTRASAMPLES] = 2  # transparency that colours are not multiplied by
    tags[TiffImagePlugin.PLANAR_CONFIGURATION] = 1
    tags[TiffImagePlugin.COMPRESSION] = 8  # deflate
    tags[TiffImagePlugin.PREDICTOR] = 2  # differences along a row
    tags[TiffImagePlugin.ROWSPERSTRIP] = ROWS
    tags[TiffImagePlugin.STRIPBYTECOUNTS] = tuple(map(len, strips))
    starts = np.cumsum([0, *map(len, strips[:-1])])
    tags[TiffImagePlugin.STRIPOFFSETS] = tuple(map(int, starts))  # Pillow adds where the tags end
    with path.open("wb") as file:
        tags.save(file)
        for strip in strips:
            file.write(strip)
