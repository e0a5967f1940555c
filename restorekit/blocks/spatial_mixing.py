"""Linear layers over positions, on a grid or in blocks."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from restorekit.blocks.sized import SizedModule

Axis = Literal["grid", "block"]
Size = int | Sequence[int]

INITIAL_DEVIATION = 0.02  # of the weights of a new mixing layer
GROUPS = {
    "grid": "n c (rows h) (columns w) -> (n h w) (rows columns) c",
    "block": "n c (h rows) (w columns) -> (n h w) (rows columns) c",
}
BACK = {
    "grid": "(n h w) (rows columns) c -> n (rows h) (columns w) c",
    "block": "(n h w) (rows columns) c -> n (h rows) (w columns) c",
}


class SpatialMixing(SizedModule):
    """Mixes pixels of a group by one linear layer, the same for all groups and channels.

    On the axis ``"grid"``, features are cut into ``rows x columns`` cells, and the pixels at the same place of each cell are a
    group: they lie far apart, and the whole image is reached. On the axis ``"block"``, features are cut into blocks of
    ``rows x columns`` pixels, and each block is a group. In both, the layer maps ``rows * columns`` values, in reading order, to as
    many.
    Source: Tu et al., CVPR 2022, arXiv:2201.02973, section 3.2.

    Args:
        axis: ``"grid"`` or ``"block"``.
        size: (rows, columns) of the grid or of a block; one number for both.
        bias: initial value of the biases.

    Raises:
        ValueError: if the axis is unknown or the size is not one or two positive numbers.

    Example:
        >>> SpatialMixing("grid", (2, 4))(torch.zeros(1, 16, 6, 8)).shape
        torch.Size([1, 16, 6, 8])
    """

    def __init__(self, axis: Axis, size: Size, *, bias: float = 0.0) -> None:
        super().__init__()
        if axis not in GROUPS:
            raise ValueError(f"axis must be 'grid' or 'block'; got {axis!r}")
        self.axis = axis
        self.rows, self.columns = pair(size)
        count = self.rows * self.columns
        self.weight = nn.Parameter(torch.empty(count, count).normal_(std=INITIAL_DEVIATION))
        self.bias = nn.Parameter(torch.full((count,), bias))

    @property
    def multiple(self) -> int:
        """Height and width of the features must be multiples of this; of the rows and of the columns alone would do."""
        return math.lcm(self.rows, self.columns)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return the mixed features, with channels last in memory.

        Raises:
            ValueError: if the rows do not divide the height, or the columns the width.
        """
        height, width = x.shape[-2:]
        if height % self.rows or width % self.columns:
            up = height + -height % self.rows, width + -width % self.columns
            raise ValueError(
                f"got features of {height}x{width}; a {self.axis} of {self.rows}x{self.columns} needs heights that are multiples "
                f"of {self.rows} and widths of {self.columns}; pad to {up[0]}x{up[1]} (restorekit.restore does so for "
                f"images), or choose another {self.axis}_size"
            )
        sides = {"rows": self.rows, "columns": self.columns}
        groups = rearrange(x, GROUPS[self.axis], **sides)
        # One copy into groups and one out of them; channels stay innermost, so that both move whole runs of memory.
        mixed = torch.baddbmm(self.bias[:, None], self.weight.expand(groups.shape[0], -1, -1), groups)
        whole = {"n": x.shape[0], "h": height // self.rows}
        return rearrange(mixed, BACK[self.axis], **sides, **whole).permute(0, 3, 1, 2)


def pair(size: Size) -> tuple[int, int]:
    """Return (rows, columns) of a size that is one number or two.

    Raises:
        ValueError: if it is not one or two positive whole numbers.
    """
    sides = (size, size) if isinstance(size, int) else tuple(size)
    if len(sides) != 2 or min(sides) < 1:
        raise ValueError(f"a size must be a positive number, or (rows, columns); got {size}")
    return sides[0], sides[1]
