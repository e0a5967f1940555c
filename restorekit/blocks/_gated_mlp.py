"""The multi-axis gated MLP of MAXIM: gated MLPs that mix pixels on a grid and in blocks, side by side."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from restorekit.blocks._conv import conv
from restorekit.blocks._norm import ChannelLayerNorm
from restorekit.blocks._spatial_mixing import INITIAL_DEVIATION, Axis, Size, SpatialMixing
from restorekit.parts import register_block


@register_block("gmlp")
class GatedMLP(nn.Module):
    """Gated MLP layer (gMLP): half of the features, mixed over space, gates the other half.

    layer normalisation - 1x1 convolution to twice the width - GELU - halves u, v - u * (mixing(layer normalisation(v)) + 1) -
    1x1 convolution, plus the input.
    Source: Liu et al., NeurIPS 2021, arXiv:2105.08050; mixing on an axis as in Tu et al., CVPR 2022, arXiv:2201.02973, section 3.2.

    Args:
        width: channels of the features.
        axis: what to mix over, ``"grid"`` or ``"block"``: see :class:`SpatialMixing`.
        size: (rows, columns) of the grid or of a block; one number for both.

    Raises:
        ValueError: if the axis is unknown or the size is not one or two positive numbers.

    Example:
        >>> GatedMLP(16, axis="block", size=4)(torch.zeros(1, 16, 8, 12)).shape
        torch.Size([1, 16, 8, 12])
    """

    def __init__(self, width: int, *, axis: Axis = "grid", size: Size = 16) -> None:
        super().__init__()
        self.norm = ChannelLayerNorm(width)
        self.expand = dense(width, 2 * width)
        self.gate_norm = ChannelLayerNorm(width)
        self.mixing = SpatialMixing(axis, size)
        self.project = dense(width, width)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return refined features."""
        u, v = gelu(self.expand(self.norm(x))).chunk(2, dim=1)
        v = self.mixing(self.gate_norm(v))
        return x + self.project(u * (v + 1))


@register_block("mab")
class MultiAxisGatedMLP(nn.Module):
    """Multi-axis gated MLP block (MAB): one half of the features goes through a grid gMLP, the other through a block gMLP.

    layer normalisation - 1x1 convolution to twice the width - GELU - halves: :class:`GatedMLP` on a grid, and in blocks -
    concatenation - 1x1 convolution, plus the input. The cost grows linearly with the number of pixels. The grid covers the whole
    image, so cutting an image into tiles changes the result.
    Source: Tu et al., CVPR 2022, arXiv:2201.02973, section 3.2.

    Args:
        width: channels of the features.
        block_size: (rows, columns) of a block in pixels; one number for both.
        grid_size: (rows, columns) of the grid in cells; one number for both.

    Raises:
        ValueError: if a size is not one or two positive numbers.

    Example:
        >>> MultiAxisGatedMLP(16, block_size=4, grid_size=2)(torch.zeros(1, 16, 8, 12)).shape
        torch.Size([1, 16, 8, 12])
    """

    def __init__(self, width: int, *, block_size: Size = 16, grid_size: Size = 16) -> None:
        super().__init__()
        self.norm = ChannelLayerNorm(width)
        self.expand = dense(width, 2 * width)
        self.grid = GatedMLP(width, axis="grid", size=grid_size)
        self.block = GatedMLP(width, axis="block", size=block_size)
        self.project = dense(2 * width, width)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return refined features."""
        u, v = gelu(self.expand(self.norm(x))).chunk(2, dim=1)
        return x + self.project(torch.cat((self.grid(u), self.block(v)), dim=1))


def dense(in_width: int, out_width: int) -> nn.Conv2d:
    """Return a 1x1 convolution with a bias and small initial weights, as in the MLPs of MAXIM."""
    layer = conv(in_width, out_width, 1, bias=True)
    nn.init.normal_(layer.weight, std=INITIAL_DEVIATION)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


def gelu(x: Tensor) -> Tensor:
    """Return GELU in its tanh approximation, which differs from the exact one by up to 5e-4."""
    return F.gelu(x, approximate="tanh")
