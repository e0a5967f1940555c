"""Functions without parameters."""

from restorekit.ops._filters import filter_separable, gaussian_kernel
from restorekit.ops._padding import pad_centred, pad_to_multiple
from restorekit.ops._patches import WHOLE, Grid, Pyramid, join, least_multiple, regrid, regrid_pyramid, split
from restorekit.ops._scale import ScaleMode, downscale

__all__ = [
    "WHOLE",
    "Grid",
    "Pyramid",
    "ScaleMode",
    "downscale",
    "filter_separable",
    "gaussian_kernel",
    "join",
    "least_multiple",
    "pad_centred",
    "pad_to_multiple",
    "regrid",
    "regrid_pyramid",
    "split",
]

__dir__ = __all__.copy
