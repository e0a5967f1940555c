"""The encoder-decoder stage."""

from collections.abc import Sequence

from torch import nn

from restorekit.blocks import BlockFactory, ChannelAttentionBlock, Downsample, Upsample
from restorekit.ops import Pyramid
from restorekit.registry import register_stage
from restorekit.stages.base import Level, Stage, StageSpec


@register_stage("unet")
class UNetStage(Stage):
    """U-Net: blocks at every level on the way down and up, one block on every skip connection.

    Source: Zamir et al., CVPR 2021, arXiv:2102.02808, section 3.2. Skips are added, not concatenated. With ``guided``, features
    of the stage before are added after the encoder blocks of each level.

    Args:
        widths: channels of each level, finest first; level i has stride 2^i.
        block: makes one block of the width it is given.
        guided: whether the stage takes guidance from the stage before.
        num_blocks: blocks a level, on either side.

    Raises:
        ValueError: if there is no level.

    Example:
        >>> stage = UNetStage((16, 24, 32), guided=True)
        >>> stage.spec.guidance
        (Level(width=16, stride=1), Level(width=24, stride=2), Level(width=32, stride=4))
    """

    def __init__(
        self,
        widths: Sequence[int],
        block: BlockFactory = ChannelAttentionBlock,
        *,
        guided: bool = False,
        num_blocks: int = 2,
    ) -> None:
        super().__init__()
        if not widths:
            raise ValueError("widths is empty; a U-Net needs at least one level, such as widths=(48, 72, 96)")

        def blocks(width: int) -> nn.Sequential:
            return nn.Sequential(*(block(width) for _ in range(num_blocks)))

        finer = list(zip(widths[:-1], widths[1:], strict=True))
        self.encoders = nn.ModuleList(blocks(width) for width in widths)
        self.downs = nn.ModuleList(Downsample(fine, coarse) for fine, coarse in finer)
        self.skips = nn.ModuleList(block(fine) for fine, _ in finer)
        self.ups = nn.ModuleList(Upsample(coarse, fine) for fine, coarse in finer)
        self.decoders = nn.ModuleList(blocks(width) for width in widths)

        levels = tuple(Level(width, 2**i) for i, width in enumerate(widths))
        self.spec = StageSpec(inputs=levels[:1], encoder=levels, decoder=levels, guidance=levels if guided else ())

    def encode(self, inputs: Pyramid, guidance: Pyramid) -> Pyramid:
        """Return the encoder's features of every level."""
        (x,) = inputs
        encoded = []
        for i, encoder in enumerate(self.encoders):
            x = encoder(x if i == 0 else self.downs[i - 1](x))
            if guidance:
                x = x + guidance[i]
            encoded.append(x)
        return tuple(encoded)

    def decode(self, encoded: Pyramid) -> Pyramid:
        """Return the decoder's features of every level."""
        x = self.decoders[-1](encoded[-1])
        decoded = [x]
        for i in reversed(range(len(encoded) - 1)):
            x = self.decoders[i](self.ups[i](x) + self.skips[i](encoded[i]))
            decoded.append(x)
        return tuple(reversed(decoded))
