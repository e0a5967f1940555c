"""The block of RDN, in which every convolution sees all features before it."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from restorekit.blocks._conv import conv
from restorekit.parts import register_block


@register_block("rdb")
class ResidualDenseBlock(nn.Module):
    """Residual dense block (RDB): convolutions that each see all features before them, fused and added to the input.

    ``num_convs`` times a 3x3 convolution and ReLU on the concatenation of the input and all features before, then a 1x1
    convolution of the concatenation of everything, plus the input.
    Source: Zhang et al., CVPR 2018, arXiv:1802.08797, section 3.2; the defaults are those of the paper.

    Args:
        width: channels of the features.
        growth: channels that each convolution adds.
        num_convs: how many 3x3 convolutions.
        bias: whether the convolutions have biases.

    Raises:
        ValueError: if ``growth`` or ``num_convs`` is less than one.

    Example:
        >>> ResidualDenseBlock(16, growth=8, num_convs=3)(torch.zeros(1, 16, 5, 7)).shape
        torch.Size([1, 16, 5, 7])
    """

    def __init__(self, width: int, *, growth: int = 64, num_convs: int = 8, bias: bool = True) -> None:
        super().__init__()
        if growth < 1 or num_convs < 1:
            raise ValueError(f"growth and num_convs must be at least 1; got {growth} and {num_convs}")
        self.convs = nn.ModuleList(conv(width + i * growth, growth, bias=bias) for i in range(num_convs))
        self.fuse = conv(width + num_convs * growth, width, 1, bias=bias)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return refined features."""
        features = x
        for convolution in self.convs:
            features = torch.cat((features, convolution(features).relu()), dim=1)
        return x + self.fuse(features)
