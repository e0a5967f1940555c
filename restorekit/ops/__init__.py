"""Functions without parameters."""

from restorekit.ops._filters import filter_separable, gaussian_kernel
from restorekit.ops._gradients import global_mean, prelu
from restorekit.ops._padding import pad_centred, pad_to_multiple
from restorekit.ops._patches import WHOLE, Grid, Pyramid, join, least_multiple, regrid, regrid_pyramid, split
from restorekit.ops._reuse import activate, add, add_scaled, only_computes
from restorekit.ops._scale import ScaleMode, downscale

__all__ = [
    "WHOLE",
    "Grid",
    "Pyramid",
    "ScaleMode",
    "activate",
    "add",
    "add_scaled",
    "downscale",
    "filter_separable",
    "gaussian_kernel",
    "global_mean",
    "join",
    "least_multiple",
    "only_computes",
    "pad_centred",
    "pad_to_multiple",
    "prelu",
    "regrid",
    "regrid_pyramid",
    "split",
]

__dir__ = __all__.copy
