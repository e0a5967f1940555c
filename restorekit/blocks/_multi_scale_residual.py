"""The multi-scale residual block of MIRNet-v2."""

from typing import cast

from jaxtyping import Float
from torch import Tensor, nn

from restorekit.blocks._conv import conv
from restorekit.blocks._merge import SelectiveKernelMerge
from restorekit.blocks._resize import Downsample, Upsample
from restorekit.blocks._sized import SizedModule
from restorekit.parts import BlockLike, factory, register_block


@register_block("mrb")
class MultiScaleResidualBlock(SizedModule):
    """Multi-scale residual block (MRB): features at several scales side by side, which are merged upwards after each pass.

    A pass runs a block at each scale, then merges the features of each coarser scale into the next finer one. Passes share their
    blocks and merges; only resizing has weights for each pass.
    Source: Zamir et al., Learning Enriched Features for Fast Image Restoration and Enhancement, TPAMI 2022, with three scales and
    two passes.

    Args:
        width: channels of the features.
        block: makes the block of a scale, from its width.
        num_scales: number of scales, each half as large as the one before.
        num_passes: how many times the blocks and merges run.
        factor: how many times as wide as the one before a scale is; widths are rounded down.

    Raises:
        ValueError: if there is no scale or no pass, or a width does not fit the block.

    Example:
        >>> import torch
        >>> MultiScaleResidualBlock(16)(torch.zeros(1, 16, 8, 12)).shape
        torch.Size([1, 16, 8, 12])
    """

    def __init__(
        self,
        width: int,
        block: BlockLike = "rcb",
        *,
        num_scales: int = 3,
        num_passes: int = 2,
        factor: float = 1.5,
    ) -> None:
        super().__init__()
        if min(num_scales, num_passes) < 1:
            raise ValueError(f"num_scales and num_passes must be at least 1; got {num_scales} and {num_passes}")
        make_block, widths = factory("block", block), [int(width * factor**i) for i in range(num_scales)]
        steps = list(zip(widths[:-1], widths[1:], strict=True))
        self.downs = nn.ModuleList(nn.Sequential(*(Downsample(*step) for step in steps[:i])) for i in range(num_scales))
        self.blocks = nn.ModuleList(make_block(each) for each in widths)
        self.ups = nn.ModuleList(nn.ModuleList(Upsample(coarse, fine) for fine, coarse in steps) for _ in range(num_passes))
        self.merges = nn.ModuleList(SelectiveKernelMerge(fine, fine) for fine, _ in steps)
        self.project = conv(width, width, 1)

    @property
    def multiple(self) -> int:
        """Height and width of the features must be multiples of this."""
        return 2 ** (len(self.blocks) - 1)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return refined features."""
        scales = [down(x) for down in self.downs]
        for ups in self.ups:
            scales = [block(features) for block, features in zip(self.blocks, scales, strict=True)]
            for i in reversed(range(len(scales) - 1)):
                scales[i] = self.merges[i](scales[i], cast(nn.ModuleList, ups)[i](scales[i + 1]))
        return x + self.project(scales[0])
