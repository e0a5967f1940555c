"""Grids of patches, which are samples of the batch."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

Pyramid = tuple[Tensor, ...]
"""Feature maps of one image at several strides, finest first."""


class Grid(NamedTuple):
    """How many patches an image is cut into, down and across."""

    rows: int
    cols: int


WHOLE = Grid(1, 1)


def split(x: Float[Tensor, "n c h w"], grid: Grid) -> Float[Tensor, "n_patches c h_patch w_patch"]:
    """Cut every map of a batch into ``rows x cols`` patches, which become samples of the batch.

    Patches of one image stay together, in reading order.

    Args:
        x: maps whose height is a multiple of ``grid.rows`` and width of ``grid.cols``.
        grid: numbers of patches (rows, columns).
    """
    if grid == WHOLE:
        return x
    return _rearrange(x, ("n", "(r h) (q w)"), ("(n r q)", "h w"), grid)


def join(x: Float[Tensor, "n_patches c h_patch w_patch"], grid: Grid) -> Float[Tensor, "n c h w"]:
    """Put together the patches that :func:`split` made with the same grid."""
    if grid == WHOLE:
        return x
    return _rearrange(x, ("(n r q)", "h w"), ("n", "(r h) (q w)"), grid)


def regrid(x: Float[Tensor, "n_patches c h w"], old: Grid, new: Grid) -> Float[Tensor, "n_regridded c h2 w2"]:
    """Convert patches of the grid ``old`` to patches of the grid ``new`` of the same images."""
    return x if old == new else split(join(x, old), new)


def regrid_pyramid(pyramid: Pyramid, old: Grid, new: Grid) -> Pyramid:
    """Apply :func:`regrid` to every level of a pyramid."""
    return tuple(regrid(x, old, new) for x in pyramid)


def least_multiple(needs: Sequence[tuple[Grid, int]]) -> int:
    """Return the number that image sides must be multiples of, so that all grids and strides divide them.

    Args:
        needs: pairs of a grid and the coarsest stride at which its patches are used.
    """
    return math.lcm(*(side * stride for grid, stride in needs for side in grid))


def _rearrange(x: Tensor, old: tuple[str, str], new: tuple[str, str], grid: Grid) -> Tensor:
    """Rearrange samples and pixels. Channels-last maps stay channels last, which saves convolutions from converting them."""
    if x.is_contiguous(memory_format=torch.channels_last):
        pattern = f"{old[0]} c {old[1]} -> {new[0]} {new[1]} c"
        return rearrange(x, pattern, r=grid.rows, q=grid.cols).contiguous().permute(0, 3, 1, 2)
    return rearrange(x, f"{old[0]} c {old[1]} -> {new[0]} c {new[1]}", r=grid.rows, q=grid.cols)
