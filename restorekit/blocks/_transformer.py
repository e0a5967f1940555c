"""The transformer block of Restormer: attention between channels, and a gated feed-forward network."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from restorekit.blocks._conv import conv
from restorekit.blocks._norm import BiasFreeLayerNorm, ChannelLayerNorm
from restorekit.parts import register_block

EPSILON = 1e-5  # in the norms


@register_block("mdta")
class MultiDconvHeadTransposedAttention(nn.Module):
    """Multi-Dconv head transposed attention (MDTA): self-attention between channels instead of pixels, added to the input.

    layer normalisation - 1x1 and depthwise 3x3 convolutions to queries, keys and values - attention - 1x1 convolution, plus the
    input. The attention map of a head is as large as its channels, so cost grows linearly with the number of pixels.
    Queries and keys are L2-normalised over the pixels; a learnable factor for each head scales their products before the softmax.
    Source: Zamir et al., CVPR 2022, arXiv:2111.09881, section 3.1, equation 1 (which divides by the factor).

    Args:
        width: channels of the features.
        num_heads: number of groups of channels that the attention is divided into.
        bias: whether the convolutions have biases.
        norm_bias: whether the normalisation subtracts means and has offsets; otherwise it is :class:`BiasFreeLayerNorm`.

    Raises:
        ValueError: if ``num_heads`` does not divide ``width``.

    Example:
        >>> MultiDconvHeadTransposedAttention(16, num_heads=2)(torch.zeros(1, 16, 5, 7)).shape
        torch.Size([1, 16, 5, 7])
    """

    def __init__(self, width: int, *, num_heads: int = 1, bias: bool = False, norm_bias: bool = True) -> None:
        super().__init__()
        if num_heads < 1 or width % num_heads:
            raise ValueError(f"num_heads must divide the width; got {num_heads} heads for width {width}")
        self.norm = _norm(width, norm_bias)
        self.expand = conv(width, 3 * width, 1, bias=bias)
        self.depthwise = conv(3 * width, 3 * width, 3, groups=3 * width, bias=bias)
        self.scale = nn.Parameter(torch.ones(num_heads, 1, 1))
        self.project = conv(width, width, 1, bias=bias)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return the features plus the result of the attention between channels."""
        qkv = self.depthwise(self.expand(self.norm(x)))
        query, key, value = (_heads(part, len(self.scale)) for part in qkv.chunk(3, dim=1))
        query, key = (F.normalize(part, dim=-1, eps=1e-6) for part in (query, key))  # half precision has no smaller eps
        attention = (self.scale * (query @ key.transpose(-2, -1))).softmax(dim=-1)
        return x + self.project((attention @ value).reshape(x.shape))


@register_block("gdfn")
class GatedDconvFeedForward(nn.Module):
    """Gated-Dconv feed-forward network (GDFN): two branches, one of which gates the other, added to the input.

    layer normalisation - 1x1 and depthwise 3x3 convolutions to two branches - GELU of the first times the second - 1x1 convolution,
    plus the input. Source: Zamir et al., CVPR 2022, arXiv:2111.09881, section 3.2, equation 2.

    Args:
        width: channels of the features.
        expansion: factor by which a branch is wider; the width is rounded down.
        bias: whether the convolutions have biases.
        norm_bias: whether the normalisation subtracts means and has offsets; otherwise it is :class:`BiasFreeLayerNorm`.

    Raises:
        ValueError: if ``expansion`` leaves no channel.

    Example:
        >>> GatedDconvFeedForward(16)(torch.zeros(1, 16, 5, 7)).shape
        torch.Size([1, 16, 5, 7])
    """

    def __init__(self, width: int, *, expansion: float = 2.66, bias: bool = False, norm_bias: bool = True) -> None:
        super().__init__()
        hidden = int(width * expansion)
        if hidden < 1:
            raise ValueError(f"expansion {expansion} leaves no channel of width {width}; it must be at least {1 / width:g}")
        self.norm = _norm(width, norm_bias)
        self.expand = conv(width, 2 * hidden, 1, bias=bias)
        self.depthwise = conv(2 * hidden, 2 * hidden, 3, groups=2 * hidden, bias=bias)
        self.project = conv(hidden, width, 1, bias=bias)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return refined features."""
        gate, gated = self.depthwise(self.expand(self.norm(x))).chunk(2, dim=1)
        return x + self.project(F.gelu(gate) * gated)


@register_block("restormer")
class TransformerBlock(nn.Module):
    """Transformer block of Restormer: :class:`MultiDconvHeadTransposedAttention`, then :class:`GatedDconvFeedForward`.

    Source: Zamir et al., CVPR 2022, arXiv:2111.09881, figure 2.

    Args:
        width: channels of the features.
        num_heads: heads of the attention.
        expansion: factor by which a branch of the feed-forward network is wider.
        bias: whether the convolutions have biases.
        norm_bias: whether the normalisation subtracts means and has offsets; otherwise it is :class:`BiasFreeLayerNorm`.

    Raises:
        ValueError: if ``num_heads`` does not divide ``width``, or ``expansion`` leaves no channel.

    Example:
        >>> TransformerBlock(16, num_heads=2)(torch.zeros(1, 16, 5, 7)).shape
        torch.Size([1, 16, 5, 7])
    """

    def __init__(
        self, width: int, *, num_heads: int = 1, expansion: float = 2.66, bias: bool = False, norm_bias: bool = True
    ) -> None:
        super().__init__()
        self.attention = MultiDconvHeadTransposedAttention(width, num_heads=num_heads, bias=bias, norm_bias=norm_bias)
        self.feed_forward = GatedDconvFeedForward(width, expansion=expansion, bias=bias, norm_bias=norm_bias)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return refined features."""
        return self.feed_forward(self.attention(x))


def _heads(x: Float[Tensor, "n c h w"], num_heads: int) -> Float[Tensor, "n heads head_c pixels"]:
    """Return the channels of each head, with the pixels in a row."""
    return x.reshape(x.shape[0], num_heads, -1, x.shape[2] * x.shape[3])


def _norm(width: int, bias: bool) -> nn.Module:
    return ChannelLayerNorm(width, eps=EPSILON) if bias else BiasFreeLayerNorm(width, eps=EPSILON)
