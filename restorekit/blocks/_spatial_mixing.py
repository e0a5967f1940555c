"""Linear layers over positions, on a grid or in blocks."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from restorekit.blocks._sized import SizedModule

Axis = Literal["grid", "block"]
Size = int | Sequence[int]

INITIAL_DEVIATION = 0.02  # of the weights of a new mixing layer
# Features as n, 1, 2, 3, 4, c: positions of the rows and columns of a group, those of the groups, and the inverse order.
ORDER = {"grid": (1, 3, 0, 2, 4, 5), "block": (2, 4, 0, 1, 3, 5)}
BACK = {"grid": (2, 0, 3, 1, 4, 5), "block": (2, 3, 0, 4, 1, 5)}


class SpatialMixing(SizedModule):
    """Mixes the pixels of a group by one linear layer, shared by all groups and channels.

    On the axis ``"grid"``, features are cut into ``rows x columns`` cells, and the pixels at the same position in each cell form a
    group: they are far apart and cover the whole image. On the axis ``"block"``, features are cut into blocks of
    ``rows x columns`` pixels, and each block is a group. In both, the layer maps ``rows * columns`` values, in reading order, to
    the same number of values.
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
        if axis not in ORDER:
            raise ValueError(f"axis must be 'grid' or 'block'; got {axis!r}")
        self.axis = axis
        self.rows, self.columns = pair(size)
        count = self.rows * self.columns
        self.weight = nn.Parameter(torch.empty(count, count).normal_(std=INITIAL_DEVIATION))
        self.bias = nn.Parameter(torch.full((count,), bias))

    @property
    def multiple(self) -> int:
        """Height and width of the features must be multiples of this (strictly, of the rows and the columns, respectively)."""
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
                f"got features of {height}x{width}; a {self.axis} of {self.rows}x{self.columns} needs a height that is a multiple "
                f"of {self.rows} and a width of {self.columns}; pad to {up[0]}x{up[1]} (restorekit.restore does so for "
                f"images), or choose another {self.axis}_size"
            )
        h, w = height // self.rows, width // self.columns
        rows, columns = (h, self.rows), (w, self.columns)
        if self.axis == "grid":
            rows, columns = rows[::-1], columns[::-1]
        # One copy gathers the pixels of each group into a column, and one moves them back; channels stay innermost, so that both
        # copy long runs of memory.
        parts = x.permute(0, 2, 3, 1).unflatten(2, columns).unflatten(1, rows).permute(ORDER[self.axis])
        mixed = torch.addmm(self.bias[:, None], self.weight, parts.flatten(2).flatten(0, 1))
        mixed = mixed.reshape_as(parts).permute(BACK[self.axis])
        return mixed.flatten(3, 4).flatten(1, 2).permute(0, 3, 1, 2)


def pair(size: Size) -> tuple[int, int]:
    """Return (rows, columns) from a size that is one number or two.

    Raises:
        ValueError: if it is not one or two positive whole numbers.
    """
    sides = (size, size) if isinstance(size, int) else tuple(size)
    if len(sides) != 2 or min(sides) < 1:
        raise ValueError(f"a size must be a positive number, or (rows, columns); got {size}")
    return sides[0], sides[1]
