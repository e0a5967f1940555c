"""The encoder-decoder stage of HINet."""

from collections.abc import Sequence

import torch
from torch import nn

from restorekit.blocks import HalfInstanceNormBlock, StridedConv, TransposedConv, conv
from restorekit.ops import Pyramid
from restorekit.parts import GuideLike, factory, register_stage
from restorekit.stages._base import Level, Stage, StageSpec, least_side


@register_stage("hinet")
class HINetStage(Stage):
    """U-Net of HINet: one half instance normalisation block per level, resizing by convolutions, concatenated skips.

    Source: Chen et al., HINet, CVPRW 2021, arXiv:2105.06086. Decoder blocks do not normalise. A skip is a 3x3 convolution. With
    ``guided``, features of the previous stage are added after the encoder block of each level except the coarsest; that level has
    no decoder block, so ``decode`` passes it on unchanged.

    Args:
        widths: channels of each level, finest first; level i has stride 2^i.
        norm_levels: first and last level whose encoder block normalises, the last possibly beyond the coarsest; () for none.
        guided: whether the stage takes guidance from the previous stage.
        guide: makes the module that adds guidance to the features of a level, from their width.

    Raises:
        ValueError: if there is no level, or ``norm_levels`` names none of them.

    Example:
        >>> stage = HINetStage((16, 32, 64), norm_levels=(1, 2), guided=True)
        >>> stage.spec.guidance
        (Level(width=16, stride=1), Level(width=32, stride=2))
    """

    def __init__(
        self, widths: Sequence[int], *, norm_levels: Sequence[int] = (0, 4), guided: bool = False, guide: GuideLike = "add"
    ) -> None:
        super().__init__()
        if not widths:
            raise ValueError("widths is empty; the stage needs at least one level, such as widths=(64, 128, 256)")
        first, last = _checked(norm_levels, len(widths))
        finer = list(zip(widths[:-1], widths[1:], strict=True))
        self.encoders = nn.ModuleList(
            HalfInstanceNormBlock(width, in_width=widths[max(i - 1, 0)], norm=first <= i <= last) for i, width in enumerate(widths)
        )
        self.downs = nn.ModuleList(StridedConv(fine, fine) for fine, _ in finer)
        self.skips = nn.ModuleList(conv(fine, fine, bias=True) for fine, _ in finer)
        self.ups = nn.ModuleList(TransposedConv(coarse, fine) for fine, coarse in finer)
        self.decoders = nn.ModuleList(HalfInstanceNormBlock(fine, in_width=2 * fine, norm=False) for fine, _ in finer)
        make_guide = factory("guide", guide)
        self.guides = nn.ModuleList(make_guide(width) for width in widths[:-1] if guided)

        levels = tuple(Level(width, 2**i) for i, width in enumerate(widths))
        guidance = levels[:-1] if guided else ()
        multiple = least_side(levels, self.guides)
        self.spec = StageSpec(levels[:1], encoder=levels, decoder=levels, guidance=guidance, multiple=multiple)

    def encode(self, inputs: Pyramid, guidance: Pyramid) -> Pyramid:
        """Return the encoder's features of every level."""
        (x,) = inputs
        encoded = []
        for i, encoder in enumerate(self.encoders):
            x = encoder(x if i == 0 else self.downs[i - 1](x))
            if i < len(guidance):
                x = self.guides[i](x, guidance[i])
            encoded.append(x)
        return tuple(encoded)

    def decode(self, encoded: Pyramid) -> Pyramid:
        """Return the decoder's features of every level."""
        x = encoded[-1]
        decoded = [x]
        for i in reversed(range(len(self.decoders))):
            x = self.decoders[i](torch.cat((self.ups[i](x), self.skips[i](encoded[i])), dim=1))
            decoded.append(x)
        return tuple(reversed(decoded))


def _checked(norm_levels: Sequence[int], num_levels: int) -> tuple[int, int]:
    """Return the first and the last level to normalise at; the last is smaller if there are none."""
    if not norm_levels:
        return 0, -1
    if len(norm_levels) != 2 or not 0 <= norm_levels[0] <= min(norm_levels[1], num_levels - 1):
        raise ValueError(
            f"norm_levels is {tuple(norm_levels)}, but the levels are 0 to {num_levels - 1}; give the first and the last level "
            "to normalise at, or () for none"
        )
    return norm_levels[0], norm_levels[1]
