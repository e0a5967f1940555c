"""The original-resolution block of MPRNet's last stage."""

from jaxtyping import Float
from torch import Tensor, nn

from restorekit.blocks._conv import conv
from restorekit.parts import BlockLike, factory, register_block


@register_block("orb")
class OriginalResolutionBlock(nn.Module):
    """Original-resolution block (ORB): several blocks and a convolution, added to the input.

    Source: Zamir et al., CVPR 2021, arXiv:2102.02808, figure 3 c. The convolution never has a bias.

    Args:
        width: channels of the features.
        block: makes one inner block of the given width.
        num_blocks: how many inner blocks.
        kernel_size: side of the last convolution's kernel.

    Raises:
        ValueError: if ``num_blocks`` is less than one.

    Example:
        >>> OriginalResolutionBlock(16, num_blocks=2)(torch.zeros(1, 16, 5, 7)).shape
        torch.Size([1, 16, 5, 7])
    """

    def __init__(
        self,
        width: int,
        block: BlockLike = "cab",
        *,
        num_blocks: int = 8,
        kernel_size: int = 3,
    ) -> None:
        super().__init__()
        if num_blocks < 1:
            raise ValueError(f"num_blocks must be at least 1; got {num_blocks}")
        make_block = factory("block", block)
        self.blocks = nn.Sequential(*(make_block(width) for _ in range(num_blocks)))
        self.conv = conv(width, width, kernel_size)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return refined features."""
        return x + self.conv(self.blocks(x))
