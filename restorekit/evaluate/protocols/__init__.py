"""The protocols of published data sets: images, colours, metrics, means and published figures.

A file in this folder that registers a protocol is discovered automatically.
"""

from restorekit.evaluate.protocols._measures import measure_aligned, measure_rgb, measure_volume, measure_y
from restorekit.evaluate.protocols._protocol import (
    DND,
    MEAN,
    Example,
    Protocol,
    Published,
    examples_of,
    find_protocol,
    list_protocols,
    register_protocol,
)

__all__ = [
    "DND",
    "MEAN",
    "Example",
    "Protocol",
    "Published",
    "examples_of",
    "find_protocol",
    "list_protocols",
    "measure_aligned",
    "measure_rgb",
    "measure_volume",
    "measure_y",
    "register_protocol",
]

__dir__ = __all__.copy
