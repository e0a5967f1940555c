"""The stage that stays at the original resolution."""

from collections.abc import Sequence

from torch import nn

from restorekit.blocks import OriginalResolutionBlock
from restorekit.ops import Pyramid
from restorekit.parts import BlockLike, GuideLike, factories, factory, register_stage
from restorekit.stages._base import Level, Stage, StageSpec, least_side


@register_stage("orsnet")
class ORSNetStage(Stage):
    """Original-resolution subnetwork (ORSNet): original-resolution blocks in a row, no resizing.

    Source: Zamir et al., CVPR 2021, arXiv:2102.02808, section 3.2. With ``guided``, one level of guidance is added after each ORB.
    All ORBs belong to ``encode``, which returns the features after each of them; ``decode`` passes on the last.

    Args:
        width: channels of the features.
        block: makes one block of the given width; or a list with one such factory for each ORB.
        num_orbs: how many ORBs.
        num_blocks: blocks in each ORB.
        kernel_size: side of the kernel of the convolution that ends an ORB.
        guided: whether the stage takes guidance from the previous stage.
        guide: makes the module that adds guidance to the features after an ORB, from their width.

    Raises:
        ValueError: if there is no ORB, or blocks are not one per ORB.

    Example:
        >>> ORSNetStage(16, num_blocks=2, guided=True).spec.guidance
        (Level(width=16, stride=1), Level(width=16, stride=1), Level(width=16, stride=1))
    """

    def __init__(
        self,
        width: int,
        block: BlockLike | Sequence[BlockLike] = "cab",
        *,
        num_orbs: int = 3,
        num_blocks: int = 8,
        kernel_size: int = 3,
        guided: bool = False,
        guide: GuideLike = "add",
    ) -> None:
        super().__init__()
        if num_orbs < 1:
            raise ValueError(f"num_orbs must be at least 1; got {num_orbs}")
        self.orbs = nn.ModuleList(
            OriginalResolutionBlock(width, each, num_blocks=num_blocks, kernel_size=kernel_size)
            for each in factories("block", block, num_orbs)
        )
        make_guide = factory("guide", guide)
        self.guides = nn.ModuleList(make_guide(width) for _ in range(num_orbs) if guided)
        level = Level(width)
        levels = (level,) * num_orbs
        multiple = least_side(levels, self.orbs, self.guides)
        self.spec = StageSpec((level,), encoder=levels, decoder=(level,), guidance=levels if guided else (), multiple=multiple)

    def encode(self, inputs: Pyramid, guidance: Pyramid) -> Pyramid:
        """Return the features after each ORB."""
        (x,) = inputs
        encoded = []
        for i, orb in enumerate(self.orbs):
            x = orb(x)
            if guidance:
                x = self.guides[i](x, guidance[i])
            encoded.append(x)
        return tuple(encoded)

    def decode(self, encoded: Pyramid) -> Pyramid:
        """Return the features after the last ORB."""
        return encoded[-1:]
