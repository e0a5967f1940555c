"""Channel attention, and the residual block around it."""

from typing import Literal, get_args

from jaxtyping import Float
from torch import Tensor, nn

from restorekit.blocks._conv import conv
from restorekit.blocks._pooling import GlobalMean
from restorekit.parts import ActivationLike, activation, did_you_mean, register_block

# "ca" is ours, the others are timm's. Omitted are those built around statistics of the batch (sk, lambda, nl, bat), those that
# need features of certain sizes (bottleneck, halo), and those that cannot be built with these arguments (ge).
Attention = Literal[
    "ca", "cbam", "ceca", "coord", "eca", "ecam", "ela", "ese", "gc", "gca", "lcbam", "scoord", "se", "splat", "strip"
]
ATTENTIONS: tuple[str, ...] = get_args(Attention)
WITHOUT_HIDDEN_LAYER = {"ceca", "eca", "ela", "ese", "strip"}


@register_block("ca")
class ChannelAttention(nn.Module):
    """Scales every channel by a factor in (0, 1), computed from the means of all channels.

    mean over height and width - 1x1 convolution to ``width // reduction`` - ReLU - 1x1 convolution - sigmoid - scale.
    Source: Zhang et al., RCAN, ECCV 2018, arXiv:1807.02758, equations 8 to 10; used by Zamir et al., CVPR 2021.

    Args:
        width: channels of the features.
        reduction: factor by which the hidden layer is narrower.
        bias: whether the convolutions have biases.

    Raises:
        ValueError: if ``reduction`` leaves no hidden channel.

    Example:
        >>> ChannelAttention(16)(torch.zeros(1, 16, 5, 7)).shape
        torch.Size([1, 16, 5, 7])
    """

    def __init__(self, width: int, *, reduction: int = 4, bias: bool = False) -> None:
        super().__init__()
        hidden = _hidden_width(width, reduction)
        self.mean = GlobalMean()
        self.squeeze = conv(width, hidden, 1, bias=bias)
        self.excite = conv(hidden, width, 1, bias=bias)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return the scaled features."""
        return x * self.scale(x)

    def scale(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c _ _"]:
        """Return the factors, in (0, 1): one per channel, or one per pixel and channel if the mean is local."""
        return self.excite(self.squeeze(self.mean(x)).relu()).sigmoid()


@register_block("cab")
class ChannelAttentionBlock(nn.Module):
    """Channel attention block (CAB): two convolutions and channel attention, added to the input.

    convolution - PReLU - convolution - :class:`ChannelAttention`, plus the input.
    Source: Zamir et al., CVPR 2021, arXiv:2102.02808, figure 3 b. There, the attention is always ``"ca"``.

    Args:
        width: channels of the features.
        act: activation between the convolutions, by name or as a module, which blocks may share (those of MPRNet share one PReLU
            with one slope); by default each block has a separate PReLU.
        reduction: reduction of the channel attention.
        kernel_size: side of the kernels.
        bias: whether the convolutions have biases; timm's attention modules decide this themselves.
        attention: ``"ca"`` for :class:`ChannelAttention`, or the name of one of timm's, such as ``"eca"``, ``"cbam"`` or
            ``"coord"``, which is then used without batch normalisation.

    Raises:
        ValueError: if the attention is unknown, or ``reduction`` leaves no hidden channel.

    Example:
        >>> ChannelAttentionBlock(16)(torch.zeros(1, 16, 5, 7)).shape
        torch.Size([1, 16, 5, 7])
    """

    def __init__(
        self,
        width: int,
        *,
        act: ActivationLike = "prelu",
        reduction: int = 4,
        kernel_size: int = 3,
        bias: bool = False,
        attention: Attention = "ca",
    ) -> None:
        super().__init__()
        self.conv1 = conv(width, width, kernel_size, bias=bias)
        self.act = activation(act)
        self.conv2 = conv(width, width, kernel_size, bias=bias)
        if attention == "ca":
            self.attention: nn.Module = ChannelAttention(width, reduction=reduction, bias=bias)
        else:
            self.attention = _timm_attention(attention, width, reduction)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return refined features."""
        return x + self.attention(self.conv2(self.act(self.conv1(x))))


def _timm_attention(name: str, width: int, reduction: int) -> nn.Module:
    """Return one of timm's attention modules."""
    if name not in ATTENTIONS:
        raise ValueError(
            f"unknown attention {name!r} (those of timm that need statistics of the batch, or features of one size, are left out)"
            f"{did_you_mean(name, ATTENTIONS)}"
        )
    from timm.layers import create_attn

    # timm would round the width of the hidden layer to a multiple of eight
    hidden = {} if name in WITHOUT_HIDDEN_LAYER else {"rd_channels": _hidden_width(width, reduction)}
    module = create_attn(name, width, **hidden)
    assert module is not None  # None only without a name
    # Patches are samples of the batch, so batch normalisation is removed from coord, and from cbam and lcbam, whose paper has none.
    for part in module.modules():
        for child_name, child in part.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(part, child_name, nn.Identity())
    return module


def _hidden_width(width: int, reduction: int) -> int:
    if reduction < 1:
        raise ValueError(f"reduction must be at least 1; got {reduction}")
    hidden = width // reduction
    if hidden < 1:
        raise ValueError(f"reduction {reduction} leaves no hidden channel of width {width}; at most {width} is possible")
    return hidden
