"""Channel attention, and the residual block around it."""

from collections.abc import Callable

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from restorekit.blocks.conv import conv
from restorekit.registry import register_block

BlockFactory = Callable[[int], nn.Module]
"""Makes a block of the width it is called with; the block maps features to features of the same shape."""


@register_block("ca")
class ChannelAttention(nn.Module):
    """Scales every channel by a factor in (0, 1) computed from the means of all channels.

    mean over height and width - 1x1 convolution to ``width // reduction`` - ReLU - 1x1 convolution - sigmoid - scale.
    Source: Zhang et al., RCAN, ECCV 2018, arXiv:1807.02758, equations 8 to 10; used by Zamir et al., CVPR 2021.

    Args:
        width: channels of the features.
        reduction: by how much the hidden layer is narrower.
        bias: whether the convolutions have biases.

    Raises:
        ValueError: if ``reduction`` leaves no hidden channel.

    Example:
        >>> ChannelAttention(16)(torch.zeros(1, 16, 5, 7)).shape
        torch.Size([1, 16, 5, 7])
    """

    def __init__(self, width: int, *, reduction: int = 4, bias: bool = False) -> None:
        super().__init__()
        hidden = width // reduction
        if hidden < 1:
            raise ValueError(f"reduction {reduction} leaves no hidden channel of width {width}; at most {width} is possible")
        self.squeeze = conv(width, hidden, 1, bias=bias)
        self.excite = conv(hidden, width, 1, bias=bias)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return the scaled features."""
        return x * self.scale(x)

    def scale(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c 1 1"]:
        """Return the factors, in (0, 1)."""
        mean = F.adaptive_avg_pool2d(x, 1)
        return self.excite(self.squeeze(mean).relu()).sigmoid()


@register_block("cab")
class ChannelAttentionBlock(nn.Module):
    """Channel attention block (CAB): two convolutions and channel attention, added to the input.

    convolution - PReLU - convolution - :class:`ChannelAttention`, plus the input.
    Source: Zamir et al., CVPR 2021, arXiv:2102.02808, figure 3 b.

    Args:
        width: channels of the features.
        act: activation between the convolutions. Blocks may share one (MPRNet's share one PReLU of one slope);
            by default each has a PReLU of its own.
        reduction: reduction of the channel attention.
        kernel_size: side of the kernels.
        bias: whether the convolutions have biases.

    Example:
        >>> ChannelAttentionBlock(16)(torch.zeros(1, 16, 5, 7)).shape
        torch.Size([1, 16, 5, 7])
    """

    def __init__(
        self,
        width: int,
        *,
        act: nn.Module | None = None,
        reduction: int = 4,
        kernel_size: int = 3,
        bias: bool = False,
    ) -> None:
        super().__init__()
        self.conv1 = conv(width, width, kernel_size, bias=bias)
        self.act = nn.PReLU() if act is None else act
        self.conv2 = conv(width, width, kernel_size, bias=bias)
        self.attention = ChannelAttention(width, reduction=reduction, bias=bias)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return refined features."""
        return x + self.attention(self.conv2(self.act(self.conv1(x))))
