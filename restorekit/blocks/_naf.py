"""The block of NAFNet, which has no activation function."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from restorekit.blocks._conv import conv
from restorekit.blocks._norm import ChannelLayerNorm
from restorekit.blocks._pooling import GlobalMean
from restorekit.parts import register_block


@register_block("sca")
class SimplifiedChannelAttention(nn.Module):
    """Simplified channel attention (SCA): scales every channel by a linear function of the means of all channels.

    mean over height and width - 1x1 convolution - scale.
    Source: Chen et al., ECCV 2022, arXiv:2204.04676, section 4.

    Args:
        width: channels of the features.

    Example:
        >>> SimplifiedChannelAttention(16)(torch.zeros(1, 16, 5, 7)).shape
        torch.Size([1, 16, 5, 7])
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mean = GlobalMean()
        self.conv = conv(width, width, 1, bias=True)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return the scaled features."""
        return x * self.scale(x)

    def scale(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c _ _"]:
        """Return the factors, of any sign and magnitude: one per channel, or one per pixel and channel if the mean is local."""
        return self.conv(self.mean(x))


@register_block("naf")
class NAFBlock(nn.Module):
    """Nonlinear activation free block (NAFBlock): two gated branches after layer normalisation, each added to its input.

    y = x + beta * project1(sca(gate(depthwise(expand1(norm1(x)))))), then y + gamma * project2(gate(expand2(norm2(y)))), where the
    gate multiplies the two halves of the channels. ``beta`` and ``gamma`` start at zero, so that a new block returns its input.
    Source: Chen et al., ECCV 2022, arXiv:2204.04676, section 4, figure 3 d.

    Args:
        width: channels of the features.

    Example:
        >>> x = torch.rand(1, 16, 5, 7)
        >>> torch.equal(NAFBlock(16)(x), x)
        True
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1 = ChannelLayerNorm(width)
        self.expand1 = conv(width, 2 * width, 1, bias=True)
        self.depthwise = conv(2 * width, 2 * width, 3, groups=2 * width, bias=True)
        self.attention = SimplifiedChannelAttention(width)
        self.project1 = conv(width, width, 1, bias=True)
        self.beta = nn.Parameter(torch.zeros(1, width, 1, 1))
        self.norm2 = ChannelLayerNorm(width)
        self.expand2 = conv(width, 2 * width, 1, bias=True)
        self.project2 = conv(width, width, 1, bias=True)
        self.gamma = nn.Parameter(torch.zeros(1, width, 1, 1))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return refined features."""
        gated = _gate(self.depthwise(self.expand1(self.norm1(x))))
        x = x + self.beta * self.project1(self.attention(gated))
        gated = _gate(self.expand2(self.norm2(x)))
        return x + self.gamma * self.project2(gated)


def _gate(x: Float[Tensor, "n two_c h w"]) -> Float[Tensor, "n c h w"]:
    """Return the product of the two halves of the channels."""
    first, second = x.chunk(2, dim=1)
    return first * second
