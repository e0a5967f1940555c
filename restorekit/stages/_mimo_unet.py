"""The encoder-decoder stage of MIMO-UNet."""

from collections.abc import Sequence

from torch import Tensor, nn

from restorekit.blocks import AsymmetricFeatureFusion, ConcatMerge, StridedConv, TransposedConv
from restorekit.ops import Pyramid
from restorekit.parts import BlockLike, GuideLike, factories, factory, register_stage
from restorekit.stages._base import Level, Stage, StageSpec, least_side


@register_stage("mimo_unet")
class MIMOUNetStage(Stage):
    """U-Net of MIMO-UNet: inputs at every level, and skips that see the features of all levels.

    The features that come down to a level attend to the inputs of that level. A skip is made from the encoder's features of all
    levels (asymmetric feature fusion), and concatenated with the features from the coarser level. With ``guided``, features of the
    previous stage are added after the encoder blocks of each level.
    Source: Cho et al., MIMO-UNet, ICCV 2021, arXiv:2108.05054.

    Args:
        widths: channels of each level, finest first; level i has stride 2^i.
        block: makes one block of the given width; or a list with one such factory for each level, finest first.
        num_blocks: blocks of each level, in encoder and decoder.
        dropout: share of the channels of each skip that are set to zero while the network is trained.
        attend: makes the module that adds the inputs of a level to the features from the finer level, from their width.
        guided: whether the stage takes guidance from the previous stage.
        guide: makes the module that adds guidance to the features of a level, from their width.

    Raises:
        ValueError: if there is no level, the number of blocks is negative, or ``dropout`` is not from 0 to 1.

    Example:
        >>> stage = MIMOUNetStage((8, 16, 32), num_blocks=1)
        >>> stage.spec.inputs
        (Level(width=8, stride=1), Level(width=16, stride=2), Level(width=32, stride=4))
    """

    def __init__(
        self,
        widths: Sequence[int],
        block: BlockLike | Sequence[BlockLike] = "res",
        *,
        num_blocks: int = 8,
        dropout: float = 0.0,
        attend: GuideLike = "fam",
        guided: bool = False,
        guide: GuideLike = "add",
    ) -> None:
        super().__init__()
        if not widths:
            raise ValueError("widths is empty; the stage needs at least one level, such as widths=(32, 64, 128)")
        if num_blocks < 0:
            raise ValueError(f"num_blocks must not be negative; got {num_blocks}")
        makes, make_attend, make_guide = factories("block", block, len(widths)), factory("guide", attend), factory("guide", guide)
        finer = list(zip(widths[:-1], widths[1:], strict=True))

        def side() -> nn.ModuleList:
            """Return the blocks of each level of one side."""
            levels = zip(makes, widths, strict=True)
            return nn.ModuleList(nn.Sequential(*(make(width) for _ in range(num_blocks))) for make, width in levels)

        self.encoders = side()
        self.downs = nn.ModuleList(StridedConv(fine, coarse, kernel_size=3, bias=True, act="relu") for fine, coarse in finer)
        self.attentions = nn.ModuleList(make_attend(coarse) for _, coarse in finer)
        self.guides = nn.ModuleList(make_guide(width) for width in widths if guided)
        self.fusions = nn.ModuleList(AsymmetricFeatureFusion(widths, i) for i in range(len(finer)))
        self.dropout = nn.Dropout2d(dropout)
        self.ups = nn.ModuleList(TransposedConv(coarse, fine, kernel_size=4, act="relu") for fine, coarse in finer)
        self.merges = nn.ModuleList(ConcatMerge(fine, fine, bias=True, act="relu") for fine, _ in finer)
        self.decoders = side()

        levels = tuple(Level(width, 2**i) for i, width in enumerate(widths))
        multiple = least_side(levels, self.encoders, self.guides, self.decoders, [nn.Identity(), *self.attentions])
        self.spec = StageSpec(levels, encoder=levels, decoder=levels, guidance=levels if guided else (), multiple=multiple)

    def encode(self, inputs: Pyramid, guidance: Pyramid) -> Pyramid:
        """Return the encoder's features of every level."""
        encoded: list[Tensor] = []
        for i, encoder in enumerate(self.encoders):
            x = encoder(inputs[0] if i == 0 else self.attentions[i - 1](self.downs[i - 1](encoded[-1]), inputs[i]))
            encoded.append(self.guides[i](x, guidance[i]) if guidance else x)
        return tuple(encoded)

    def decode(self, encoded: Pyramid) -> Pyramid:
        """Return the decoder's features of every level."""
        decoded = [self.decoders[-1](encoded[-1])]
        for i in reversed(range(len(self.fusions))):
            skip = self.dropout(self.fusions[i](encoded))
            decoded.append(self.decoders[i](self.merges[i](skip, self.ups[i](decoded[-1]))))
        return tuple(reversed(decoded))
