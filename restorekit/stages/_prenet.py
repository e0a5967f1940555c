"""The recurrent stage of PReNet."""

from torch import nn

from restorekit.blocks import ConvLSTM, conv, conv_act
from restorekit.ops import Pyramid
from restorekit.parts import BlockLike, factory, register_stage
from restorekit.stages._base import Level, Stage, StageSpec, least_side


@register_stage("prenet")
class PReNetStage(Stage):
    """One pass of PReNet: a convolution, an LSTM that remembers earlier passes, blocks, and a convolution to the residual image.

    List the same stage several times to run it again; its state, of two levels (hidden features and cell), travels from pass to
    pass with the fusion ``"state"``, and is zero at first. Nothing is resized or normalised.
    Source: Ren et al., PReNet, CVPR 2019, arXiv:1901.09221. Its blocks are ``{"name": "res", "rectified": True}``.

    Args:
        width: channels of the features.
        block: makes one block of the given width; one that is :class:`restorekit.Shared` is used ``num_blocks`` times.
        in_width: channels of the inputs: in PReNet the image and the image that the last pass restored.
        out_width: channels of the results: in PReNet those of the image.
        num_blocks: number of blocks.
        recurrent: whether there is an LSTM; without it, the stage takes no guidance, as in PRN.

    Raises:
        ValueError: if the number of blocks is negative.

    Example:
        >>> PReNetStage(16).spec.guidance
        (Level(width=16, stride=1), Level(width=16, stride=1))
    """

    def __init__(
        self,
        width: int,
        block: BlockLike = "res",
        *,
        in_width: int = 6,
        out_width: int = 3,
        num_blocks: int = 5,
        recurrent: bool = True,
    ) -> None:
        super().__init__()
        if num_blocks < 0:
            raise ValueError(f"num_blocks must not be negative; got {num_blocks}")
        make = factory("block", block)
        blocks = [make(width) for _ in range(num_blocks)]
        self.entry = conv_act(in_width, width)
        self.lstm = ConvLSTM(width) if recurrent else nn.Identity()
        self.blocks = nn.ModuleList(dict.fromkeys(blocks))  # each is stored once
        self.order = [list(self.blocks).index(each) for each in blocks]
        self.exit = conv(width, out_width, bias=True)

        level = Level(width)
        state = (level, level) if recurrent else ()
        self.spec = StageSpec(
            (Level(in_width),),
            encoder=state or (level,),
            decoder=(Level(out_width),),
            guidance=state,
            multiple=least_side([level] * len(self.blocks), self.blocks),
        )

    def encode(self, inputs: Pyramid, guidance: Pyramid) -> Pyramid:
        """Return the new state, or the features if there is no LSTM."""
        x = self.entry(inputs[0])
        return self.lstm(x, *guidance) if guidance else (x,)

    def decode(self, encoded: Pyramid) -> Pyramid:
        """Return the residual image; it depends on the first level only, the features."""
        x = encoded[0]
        for i in self.order:
            x = self.blocks[i](x)
        return (self.exit(x),)
