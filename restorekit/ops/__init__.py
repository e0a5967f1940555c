"""Functions without parameters."""

from restorekit.ops.padding import pad_to_multiple
from restorekit.ops.patches import WHOLE, Grid, Pyramid, join, least_multiple, regrid, regrid_pyramid, split

__all__ = ["WHOLE", "Grid", "Pyramid", "join", "least_multiple", "pad_to_multiple", "regrid", "regrid_pyramid", "split"]
