"""Formats of pictures that Pillow does not read or write as this library needs them."""

from restorekit.images.formats._deep import is_deep, raw_mode, read_deep, with_transparency
from restorekit.images.formats._png import PngWriter, png_metadata
from restorekit.images.formats._tiff import TiffWriter

__all__ = ["PngWriter", "TiffWriter", "is_deep", "png_metadata", "raw_mode", "read_deep", "with_transparency"]

__dir__ = __all__.copy
