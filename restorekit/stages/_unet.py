"""The encoder-decoder stage."""

import math
from collections.abc import Callable, Sequence

from jaxtyping import Float
from torch import Tensor, nn

from restorekit.ops import Pyramid
from restorekit.parts import (
    BlockLike,
    DownsampleLike,
    GuideLike,
    MergeLike,
    StemLike,
    UpsampleLike,
    factories,
    factory,
    register_stage,
)
from restorekit.stages._base import Level, Stage, StageSpec, least_side


@register_stage("unet")
class UNetStage(Stage):
    """U-Net: blocks at every level on the way down and up, one block on every skip connection.

    Source: Zamir et al., CVPR 2021, arXiv:2102.02808, section 3.2. With ``guided``, features of the previous stage are added after
    the encoder blocks of each level. With plain skips, different resizing and other numbers of blocks it is the U-Net of NAFNet
    (Chen et al., ECCV 2022, arXiv:2204.04676), and with concatenated skips and a wider finest decoder that of Restormer (Zamir et
    al., CVPR 2022, arXiv:2111.09881).

    Args:
        widths: channels of each level, finest first; level i has stride 2^i.
        block: makes one block of the given width; or a list with one such factory for each level, finest first.
        guided: whether the stage takes guidance from the previous stage.
        guide: makes the module that adds guidance to the features of a level, from their width.
        num_blocks: blocks per level, in encoder and decoder.
        encoder_blocks: blocks of each level of the encoder, finest first; by default ``num_blocks`` at each.
        decoder_blocks: blocks of each level of the decoder, finest first; by default ``num_blocks`` at each. The coarsest level
            often has blocks only in the encoder: 0.
        decoder_widths: channels of each level of the decoder, finest first; by default ``widths``. The coarsest has those of the
            encoder.
        merge: makes the module that merges a skip with the features from the coarser level, from (width of either, width of the
            decoder's level): ``"add"`` or ``"concat"``.
        shortcut: makes the module whose features of the stage's inputs are added to the finest ones of the decoder, from (width of
            the inputs, width of the decoder's level), as a stem does; none by default. Restormer has a 1x1 convolution for pairs of
            views. ``encode`` then returns these inputs as a further level, the first.
        skip: makes the module on a skip connection; by default one ``block`` of its level. ``"identity"`` makes plain connections.
        downsample: makes the module that leads to the coarser level, from (width, width of the coarser level).
        upsample: makes the module that leads to the finer level, from (width, width of the finer level).

    Raises:
        ValueError: if there is no level, or blocks, numbers of blocks or decoder widths are not one per level, or a number is
            negative, or features of different widths would be added.

    Example:
        >>> stage = UNetStage((16, 24, 32), guided=True)
        >>> stage.spec.guidance
        (Level(width=16, stride=1), Level(width=24, stride=2), Level(width=32, stride=4))
    """

    def __init__(
        self,
        widths: Sequence[int],
        block: BlockLike | Sequence[BlockLike] = "cab",
        *,
        guided: bool = False,
        guide: GuideLike = "add",
        num_blocks: int = 2,
        encoder_blocks: Sequence[int] | None = None,
        decoder_blocks: Sequence[int] | None = None,
        decoder_widths: Sequence[int] | None = None,
        merge: MergeLike = "add",
        shortcut: StemLike | None = None,
        skip: BlockLike | None = None,
        downsample: DownsampleLike = "bilinear",
        upsample: UpsampleLike = "bilinear",
    ) -> None:
        super().__init__()
        if not widths:
            raise ValueError("widths is empty; a U-Net needs at least one level, such as widths=(48, 72, 96)")
        make_blocks, make_guide = factories("block", block, len(widths)), factory("guide", guide)
        make_skips = make_blocks if skip is None else [factory("block", skip)] * len(widths)
        make_down, make_up, make_merge = factory("downsample", downsample), factory("upsample", upsample), factory("merge", merge)
        everywhere = [num_blocks] * len(widths)
        decoded = _decoder_widths(widths, decoder_widths)
        finer = list(zip(widths[:-1], widths[1:], strict=True))
        rising = list(zip(decoded[1:], widths[:-1], decoded[:-1], strict=True))  # below, of the encoder, of the decoder
        self.encoders = _blocks("encoder_blocks", widths, make_blocks, everywhere if encoder_blocks is None else encoder_blocks)
        self.downs = nn.ModuleList(make_down(fine, coarse) for fine, coarse in finer)
        self.skips = nn.ModuleList(make_skip(fine) for make_skip, (fine, _) in zip(make_skips, finer, strict=False))
        self.ups = nn.ModuleList(make_up(below, width) for below, width, _ in rising)
        self.merges = nn.ModuleList(make_merge(width, out_width) for _, width, out_width in rising)
        self.guides = nn.ModuleList(make_guide(width) for width in widths if guided)
        self.decoders = _blocks("decoder_blocks", decoded, make_blocks, everywhere if decoder_blocks is None else decoder_blocks)
        self.shortcuts = nn.ModuleList(factory("stem", each)(widths[0], decoded[0]) for each in (shortcut,) if each is not None)

        levels, decoder = (tuple(Level(width, 2**i) for i, width in enumerate(side)) for side in (widths, decoded))
        multiple = math.lcm(
            least_side(levels, self.encoders, self.skips, self.guides), least_side(decoder, self.merges, self.decoders)
        )
        encoder = levels[: len(self.shortcuts)] + levels
        self.spec = StageSpec(levels[:1], encoder=encoder, decoder=decoder, guidance=levels if guided else (), multiple=multiple)

    def encode(self, inputs: Pyramid, guidance: Pyramid) -> Pyramid:
        """Return the encoder's features of every level, with a shortcut after the inputs."""
        (x,) = inputs
        encoded = [x for _ in self.shortcuts]
        for i, encoder in enumerate(self.encoders):
            x = encoder(x if i == 0 else self.downs[i - 1](x))
            if guidance:
                x = self.guides[i](x, guidance[i])
            encoded.append(x)
        return tuple(encoded)

    def decode(self, encoded: Pyramid) -> Pyramid:
        """Return the decoder's features of every level."""
        shortcut, encoded = encoded[: len(self.shortcuts)], encoded[len(self.shortcuts) :]
        x = self.decoders[-1](encoded[-1])
        decoded = [x]
        for i in reversed(range(len(encoded) - 1)):
            x = self.decoders[i](self.merged(i, encoded[i], x))
            decoded.append(x)
        for connect, x in zip(self.shortcuts, shortcut, strict=True):
            decoded[-1] = decoded[-1] + connect(x)
        return tuple(reversed(decoded))

    def merged(self, i: int, encoded: Float[Tensor, "n c h w"], below: Float[Tensor, "n c2 h2 w2"]) -> Float[Tensor, "n c3 h w"]:
        """Return the features that the decoder of a level starts from: its skip, merged with the features of the coarser level."""
        return self.merges[i](self.skips[i](encoded), self.ups[i](below))


def _decoder_widths(widths: Sequence[int], decoder_widths: Sequence[int] | None) -> Sequence[int]:
    """Return the width of each level of the decoder."""
    if decoder_widths is None:
        return widths
    if len(decoder_widths) != len(widths) or decoder_widths[-1] != widths[-1]:
        raise ValueError(
            f"decoder_widths must be {len(widths)} numbers, one for each level, the last {widths[-1]} as in the encoder; "
            f"got {tuple(decoder_widths)}"
        )
    return decoder_widths


def _blocks(
    argument: str, widths: Sequence[int], blocks: Sequence[Callable[[int], nn.Module]], counts: Sequence[int]
) -> nn.ModuleList:
    """Return the blocks of each level of one side."""
    if len(counts) != len(widths) or min(counts) < 0:
        raise ValueError(
            f"{argument} must be {len(widths)} numbers, one for each level, none of them negative; got {tuple(counts)}"
        )
    levels = zip(blocks, widths, counts, strict=True)
    return nn.ModuleList(nn.Sequential(*(block(width) for _ in range(count))) for block, width, count in levels)
