"""The residual channel-attention blocks of MAXIM."""

from jaxtyping import Float
from torch import Tensor, nn

from restorekit.blocks._channel_attention import ChannelAttention
from restorekit.blocks._conv import conv
from restorekit.blocks._gated_mlp import dense, gelu
from restorekit.blocks._norm import ChannelLayerNorm
from restorekit.parts import register_block


@register_block("rcab")
class ResidualChannelAttentionBlock(nn.Module):
    """Residual channel attention block (RCAB): normalisation, two convolutions and channel attention, added to the input.

    layer normalisation - 3x3 convolution - LeakyReLU - 3x3 convolution - :class:`ChannelAttention`, plus the input.
    Source: Zhang et al., RCAN, ECCV 2018, arXiv:1807.02758; with layer normalisation, LeakyReLU and biases as in Tu et al.,
    CVPR 2022, arXiv:2201.02973.

    Args:
        width: channels of the features.
        reduction: reduction of the channel attention.
        slope: slope of the LeakyReLU for negative values.

    Raises:
        ValueError: if ``reduction`` leaves no hidden channel.

    Example:
        >>> ResidualChannelAttentionBlock(16)(torch.zeros(1, 16, 5, 7)).shape
        torch.Size([1, 16, 5, 7])
    """

    def __init__(self, width: int, *, reduction: int = 4, slope: float = 0.2) -> None:
        super().__init__()
        self.norm = ChannelLayerNorm(width)
        self.conv1 = conv(width, width, bias=True)
        self.act = nn.LeakyReLU(slope)
        self.conv2 = conv(width, width, bias=True)
        self.attention = ChannelAttention(width, reduction=reduction, bias=True)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return refined features."""
        return x + self.attention(self.conv2(self.act(self.conv1(self.norm(x)))))


@register_block("rdcab")
class ResidualDenseChannelAttentionBlock(nn.Module):
    """Residual dense channel attention block (RDCAB): an MLP over channels and channel attention, added to the input.

    layer normalisation - 1x1 convolution - GELU - 1x1 convolution - :class:`ChannelAttention`, plus the input.
    Source: Tu et al., CVPR 2022, arXiv:2201.02973, in the bottleneck. "Dense" refers to the layers, not to their connections.

    Args:
        width: channels of the features.
        reduction: reduction of the channel attention.

    Raises:
        ValueError: if ``reduction`` leaves no hidden channel.

    Example:
        >>> ResidualDenseChannelAttentionBlock(16)(torch.zeros(1, 16, 5, 7)).shape
        torch.Size([1, 16, 5, 7])
    """

    def __init__(self, width: int, *, reduction: int = 4) -> None:
        super().__init__()
        self.norm = ChannelLayerNorm(width)
        self.conv1 = dense(width, width)
        self.conv2 = dense(width, width)
        self.attention = ChannelAttention(width, reduction=reduction, bias=True)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return refined features."""
        return x + self.attention(self.conv2(gelu(self.conv1(self.norm(x)))))
