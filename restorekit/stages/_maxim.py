"""The encoder-decoder stage of MAXIM."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from restorekit.blocks import (
    CrossGating,
    CrossGatingBlock,
    MultiAxisGatedMLP,
    RatioResize,
    ResidualChannelAttentionBlock,
    ResidualDenseChannelAttentionBlock,
    Size,
    StridedConv,
    TransposedConv,
    conv,
)
from restorekit.ops import Pyramid
from restorekit.parts import register_stage
from restorekit.stages._base import Level, Stage, StageSpec, least_side, level_modules

NUM_FINE_LEVELS = 2  # number of levels with block_size and grid_size; the others use coarse_block_size


@register_stage("maxim")
class MAXIMStage(Stage):
    """U-Net of MAXIM: multi-axis gated MLPs and channel attention at every level, with gated skips.

    Every level takes the features of the finer level, joined with the inputs of its scale. The features of all encoder levels are
    resized to each level, where they and the features from the coarser level gate each other. The gated features of all levels,
    resized to each level again, are the skips of the decoder. With ``guided``, features of the previous stage gate those of each
    encoder level. The last level that ``encode`` returns is the bottleneck, at half the resolution of the coarsest.
    Source: Tu et al., CVPR 2022, arXiv:2201.02973, section 3.1.

    Args:
        widths: channels of each level, finest first; level i has stride 2^i.
        num_inputs: number of levels with inputs, starting at the finest; by default all levels.
        num_groups: number of pairs of a gated MLP and a channel attention block at each level, in encoder and decoder.
        num_bottleneck_blocks: blocks of the bottleneck, each with the same number of pairs.
        block_size: (rows, columns) in pixels of the blocks of the two finest levels; one number for both.
        grid_size: (rows, columns) in cells of the grids of the two finest levels; one number for both.
        coarse_block_size: the same for blocks and grids of the other levels and the bottleneck.
        reduction: reduction of the channel attention.
        guided: whether the stage takes guidance from the previous stage.

    Raises:
        ValueError: if there is no level, ``num_inputs`` is out of range, or a size is not one or two positive numbers.

    Example:
        >>> stage = MAXIMStage((8, 16, 32), block_size=4, grid_size=4, coarse_block_size=2)
        >>> stage.spec.inputs
        (Level(width=8, stride=1), Level(width=16, stride=2), Level(width=32, stride=4))
        >>> stage.spec.multiple
        16
    """

    def __init__(
        self,
        widths: Sequence[int],
        *,
        num_inputs: int | None = None,
        num_groups: int = 2,
        num_bottleneck_blocks: int = 2,
        block_size: Size = 16,
        grid_size: Size = 16,
        coarse_block_size: Size = 8,
        reduction: int = 4,
        guided: bool = False,
    ) -> None:
        super().__init__()
        depth = len(widths)
        num_inputs = depth if num_inputs is None else num_inputs
        if not 1 <= num_inputs <= depth:
            raise ValueError(f"num_inputs must be from 1 to {depth}, the number of widths {tuple(widths)}; got {num_inputs}")
        sizes = [mixing_sizes(i, block_size, grid_size, coarse_block_size) for i in range(depth + 1)]

        below = [*widths[1:], widths[-1]]  # width of the features from the coarser level
        above = [widths[0], *widths[:-1]]  # width of the features from the finer level

        def group(in_width: int, width: int, i: int, attention: Callable[..., nn.Module]) -> ResidualGroup:
            pairs = ((MultiAxisGatedMLP(width, **sizes[i]), attention(width, reduction=reduction)) for _ in range(num_groups))
            return ResidualGroup(in_width, width, *itertools.chain(*pairs))

        self.encoders = nn.ModuleList(
            group(above[i] + (width if i < num_inputs else 0), width, i, ResidualChannelAttentionBlock)
            for i, width in enumerate(widths)
        )
        self.guides = nn.ModuleList(CrossGating(width, **sizes[i]) for i, width in enumerate(widths) if guided)
        self.downs = nn.ModuleList(StridedConv(width, width, bias=True) for width in widths)
        self.bottleneck = nn.Sequential(
            *(group(widths[-1], widths[-1], depth, ResidualDenseChannelAttentionBlock) for _ in range(num_bottleneck_blocks))
        )
        self.skip_resizes = nn.ModuleList(_from_all_levels(widths, i) for i in range(depth))
        self.skips = nn.ModuleList(
            CrossGatingBlock(width, x_width=depth * width, y_width=below[i], upsample=True, **sizes[i])
            for i, width in enumerate(widths)
        )
        self.decoder_resizes = nn.ModuleList(_from_all_levels(widths, i) for i in range(depth))
        self.ups = nn.ModuleList(TransposedConv(below[i], width) for i, width in enumerate(widths))
        self.decoders = nn.ModuleList(
            group((1 + depth) * width, width, i, ResidualChannelAttentionBlock) for i, width in enumerate(widths)
        )

        levels = tuple(Level(width, 2**i) for i, width in enumerate(widths))
        encoder = (*levels, Level(widths[-1], 2**depth))
        self.spec = StageSpec(
            inputs=levels[:num_inputs],
            encoder=encoder,
            decoder=levels,
            guidance=levels if guided else (),
            multiple=least_side(encoder, [*self.encoders, self.bottleneck], self.guides, self.skips, self.decoders),
        )

    def encode(self, inputs: Pyramid, guidance: Pyramid) -> Pyramid:
        """Return the features of every level, and those of the bottleneck."""
        x = inputs[0]
        encoded = []
        for i, encoder in enumerate(self.encoders):
            x = encoder(torch.cat((x, inputs[i]), dim=1) if i < len(inputs) else x)
            if guidance:
                x = self.guides[i](x, guidance[i])
            encoded.append(x)
            x = self.downs[i](x)
        return (*encoded, self.bottleneck(x))

    def decode(self, encoded: Pyramid) -> Pyramid:
        """Return the decoder's features of every level."""
        *features, bottleneck = encoded
        coarse_to_fine = list(reversed(range(len(features))))
        rising = bottleneck
        skips: list[Tensor] = []  # coarsest first
        for i in coarse_to_fine:
            signal = torch.cat([resize(x) for resize, x in zip(level_modules(self.skip_resizes[i]), features, strict=True)], dim=1)
            skip, rising = self.skips[i](signal, rising)
            skips.append(skip)
        x = bottleneck
        decoded = []
        for i in coarse_to_fine:
            resizes = reversed(list(level_modules(self.decoder_resizes[i])))
            x = self.decoders[i](
                torch.cat([self.ups[i](x), *(resize(skip) for resize, skip in zip(resizes, skips, strict=True))], dim=1)
            )
            decoded.append(x)
        return tuple(reversed(decoded))


def _from_all_levels(widths: Sequence[int], i: int) -> nn.ModuleList:
    """Return the modules that bring the features of each level to the size and width of one."""
    return nn.ModuleList(
        RatioResize(width, widths[i], up=2 ** max(j - i, 0), down=2 ** max(i - j, 0)) for j, width in enumerate(widths)
    )


class ResidualGroup(nn.Module):
    """A 1x1 convolution to the width, followed by blocks with a shortcut around them.

    Args:
        in_width: channels of the input.
        width: channels of the output.
        *blocks: the blocks, of this width.
    """

    def __init__(self, in_width: int, width: int, *blocks: nn.Module) -> None:
        super().__init__()
        self.conv = conv(in_width, width, 1, bias=True)
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: Float[Tensor, "n in_width h w"]) -> Float[Tensor, "n c h w"]:
        """Return refined features."""
        x = self.conv(x)
        return x + self.blocks(x)


def mixing_sizes(level: int, block_size: Size, grid_size: Size, coarse_block_size: Size) -> dict[str, Any]:
    """Return the sizes of blocks and grids at a level of MAXIM."""
    if level < NUM_FINE_LEVELS:
        return {"block_size": block_size, "grid_size": grid_size}
    return {"block_size": coarse_block_size, "grid_size": coarse_block_size}
