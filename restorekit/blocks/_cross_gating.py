"""Cross-gating: two streams of features that gate each other over space."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from restorekit.blocks._conv import conv
from restorekit.blocks._gated_mlp import dense, gelu
from restorekit.blocks._norm import ChannelLayerNorm
from restorekit.blocks._resize import TransposedConv
from restorekit.blocks._spatial_mixing import Size, SpatialMixing
from restorekit.parts import register_block, register_connector


@register_block("split_head_gating")
class SplitHeadGating(nn.Module):
    """Weights for gating, computed from features: one half is mixed on a grid, the other in blocks.

    layer normalisation - 1x1 convolution to twice the width - GELU - halves: :class:`SpatialMixing` on a grid, and in blocks -
    concatenation - 1x1 convolution. The input is not added.
    Source: Tu et al., CVPR 2022, arXiv:2201.02973, section 3.3.

    Args:
        width: channels of the features.
        block_size: (rows, columns) of a block in pixels; one number for both.
        grid_size: (rows, columns) of the grid in cells; one number for both.

    Raises:
        ValueError: if a size is not one or two positive numbers.

    Example:
        >>> SplitHeadGating(16, block_size=4, grid_size=2)(torch.zeros(1, 16, 8, 12)).shape
        torch.Size([1, 16, 8, 12])
    """

    def __init__(self, width: int, *, block_size: Size = 16, grid_size: Size = 16) -> None:
        super().__init__()
        self.norm = ChannelLayerNorm(width)
        self.expand = dense(width, 2 * width)
        self.grid = SpatialMixing("grid", grid_size, bias=1.0)
        self.block = SpatialMixing("block", block_size, bias=1.0)
        self.project = dense(2 * width, width)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return the weights, of any sign and magnitude."""
        u, v = gelu(self.expand(self.norm(x))).chunk(2, dim=1)
        return self.project(torch.cat((self.grid(u), self.block(v)), dim=1))


class CrossGatingBlock(nn.Module):
    """Cross-gating block (CGB): two streams, each multiplied by weights computed from the other.

    x and y, brought to one width, are kept as shortcuts, then normalised and projected to x', y'. With weights from
    :class:`SplitHeadGating`: y_gated = project(y' * weights(x')) + y, and x_gated = project(x' * weights(y')) + y_gated + x.
    Source: Tu et al., CVPR 2022, arXiv:2201.02973, section 3.3; that x_gated includes y_gated is taken from the published code.

    Args:
        width: channels of both results.
        x_width: channels of x; by default ``width``.
        y_width: channels of y; by default ``width``.
        upsample: whether y has half the height and width; a transposed convolution doubles them.
        block_size: (rows, columns) of a block in pixels; one number for both.
        grid_size: (rows, columns) of the grid in cells; one number for both.

    Raises:
        ValueError: if a size is not one or two positive numbers.

    Example:
        >>> gating = CrossGatingBlock(16, x_width=48, y_width=32, upsample=True, block_size=4, grid_size=2)
        >>> x, y = gating(torch.zeros(1, 48, 8, 12), torch.zeros(1, 32, 4, 6))
        >>> x.shape, y.shape
        (torch.Size([1, 16, 8, 12]), torch.Size([1, 16, 8, 12]))
    """

    def __init__(
        self,
        width: int,
        *,
        x_width: int | None = None,
        y_width: int | None = None,
        upsample: bool = False,
        block_size: Size = 16,
        grid_size: Size = 16,
    ) -> None:
        super().__init__()
        y_width = width if y_width is None else y_width
        self.up = TransposedConv(y_width, width) if upsample else nn.Identity()
        self.enter_x = conv(width if x_width is None else x_width, width, 1, bias=True)
        self.enter_y = conv(width if upsample else y_width, width, 1, bias=True)
        self.norm_x = ChannelLayerNorm(width)
        self.norm_y = ChannelLayerNorm(width)
        self.project_x = conv(width, width, 1, bias=True)
        self.project_y = conv(width, width, 1, bias=True)
        self.gate_x = SplitHeadGating(width, block_size=block_size, grid_size=grid_size)
        self.gate_y = SplitHeadGating(width, block_size=block_size, grid_size=grid_size)
        self.leave_x = conv(width, width, 1, bias=True)
        self.leave_y = conv(width, width, 1, bias=True)

    def forward(
        self, x: Float[Tensor, "n x_width h w"], y: Float[Tensor, "n y_width h_y w_y"]
    ) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, "n c h w"]]:
        """Return both gated streams; the first includes the second."""
        x, y = self.enter_x(x), self.enter_y(self.up(y))
        projected_x, projected_y = gelu(self.project_x(self.norm_x(x))), gelu(self.project_y(self.norm_y(y)))
        y = y + self.leave_y(projected_y * self.gate_x(projected_x))
        x = x + y + self.leave_x(projected_x * self.gate_y(projected_y))
        return x, y


@register_connector("cross_gating", role="guide")
@register_connector("cross_gating", role="join")
class CrossGating(nn.Module):
    """Features gated by others, as a join and as a guide: the first result of a :class:`CrossGatingBlock`.

    As a join, stem features are gated with attended features; as a guide, features of an encoder are gated with those of the
    previous stage. Source: Tu et al., CVPR 2022, arXiv:2201.02973, section 3.3.

    Args:
        width: channels of each input.
        out_width: channels of the result; by default ``width``.
        block_size: (rows, columns) of a block in pixels; one number for both.
        grid_size: (rows, columns) of the grid in cells; one number for both.

    Raises:
        ValueError: if a size is not one or two positive numbers.

    Example:
        >>> x = torch.zeros(1, 16, 8, 12)
        >>> CrossGating(16, 24, block_size=4, grid_size=2)(x, x).shape
        torch.Size([1, 24, 8, 12])
    """

    def __init__(self, width: int, out_width: int | None = None, *, block_size: Size = 16, grid_size: Size = 16) -> None:
        super().__init__()
        self.gating = CrossGatingBlock(
            width if out_width is None else out_width, x_width=width, y_width=width, block_size=block_size, grid_size=grid_size
        )

    def forward(self, x: Float[Tensor, "n c h w"], y: Float[Tensor, "n c h w"]) -> Float[Tensor, "n out_width h w"]:
        """Return the gated features."""
        return self.gating(x, y)[0]
