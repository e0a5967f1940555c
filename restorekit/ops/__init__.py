"""Functions without parameters."""

from restorekit.ops.gradients import global_mean, prelu
from restorekit.ops.padding import pad_centred, pad_to_multiple
from restorekit.ops.patches import WHOLE, Grid, Pyramid, join, least_multiple, regrid, regrid_pyramid, split
from restorekit.ops.reuse import activate, add, add_scaled
from restorekit.ops.scale import ScaleMode, downscale

__all__ = [
    "WHOLE",
    "Grid",
    "Pyramid",
    "ScaleMode",
    "activate",
    "add",
    "add_scaled",
    "downscale",
    "global_mean",
    "join",
    "least_multiple",
    "pad_centred",
    "pad_to_multiple",
    "prelu",
    "regrid",
    "regrid_pyramid",
    "split",
]
