"""Formats of image files, one per file: every module in this folder is imported and registers its format."""

import importlib
import pkgutil

from restorekit.images.formats._pillow import encode, open_with_pillow
from restorekit.images.formats._record import FORMATS, MODE_OF, Content, ImageFormat, RowWriter, all_formats, register_format

__all__ = [
    "FORMATS",
    "MODE_OF",
    "Content",
    "ImageFormat",
    "RowWriter",
    "all_formats",
    "encode",
    "open_with_pillow",
    "register_format",
]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__dir__ = __all__.copy
