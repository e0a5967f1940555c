"""Half instance normalisation, and the residual block around it."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from restorekit.blocks._conv import conv
from restorekit.blocks._pooling import GlobalNormalisation
from restorekit.parts import register_block


class HalfInstanceNorm(nn.Module):
    """Normalises the first half of the channels, each over height and width, and leaves the second half unchanged.

    Each channel of the first half, ``width // 2`` of them, is normalised to mean 0 and variance 1, then scaled and shifted by its
    learned parameters. A channel of one pixel becomes its shift. Source: Chen et al., HINet, CVPRW 2021, arXiv:2105.06086.

    Args:
        width: channels of the features.

    Raises:
        ValueError: if there are fewer than two channels.

    Example:
        >>> HalfInstanceNorm(16)(torch.zeros(1, 16, 5, 7)).shape
        torch.Size([1, 16, 5, 7])
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        if width < 2:
            raise ValueError(f"half of width {width} leaves no channel; half instance norm needs a width of at least 2")
        self.normalise = GlobalNormalisation()
        self.weight = nn.Parameter(torch.ones(width // 2))
        self.bias = nn.Parameter(torch.zeros(width // 2))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return the features with half of them normalised."""
        normalised, kept = x.split((self.weight.numel(), x.shape[1] - self.weight.numel()), dim=1)
        normalised = self.normalise(normalised)
        return torch.cat((normalised * self.weight[:, None, None] + self.bias[:, None, None], kept), dim=1)


@register_block("hin")
class HalfInstanceNormBlock(nn.Module):
    """Half instance normalisation block (HIN): two convolutions with :class:`HalfInstanceNorm` between them, and a 1x1 shortcut.

    convolution - half instance norm - LeakyReLU - convolution - LeakyReLU, plus a 1x1 convolution of the input.
    Source: Chen et al., HINet, CVPRW 2021, arXiv:2105.06086. All convolutions have biases.

    Args:
        width: channels of the features it returns.
        in_width: channels of its input; by default ``width``.
        norm: whether to normalise; HINet does so only at some levels of its encoders.
        slope: slope of the LeakyReLU for negative values.

    Raises:
        ValueError: if ``norm`` is on and ``width`` is less than 2.

    Example:
        >>> HalfInstanceNormBlock(16)(torch.zeros(1, 16, 5, 7)).shape
        torch.Size([1, 16, 5, 7])
    """

    def __init__(self, width: int, *, in_width: int | None = None, norm: bool = True, slope: float = 0.2) -> None:
        super().__init__()
        in_width = width if in_width is None else in_width
        self.conv1 = conv(in_width, width, bias=True)
        self.norm = HalfInstanceNorm(width) if norm else nn.Identity()
        self.act = nn.LeakyReLU(slope)
        self.conv2 = conv(width, width, bias=True)
        self.shortcut = conv(in_width, width, 1, bias=True)

    def forward(self, x: Float[Tensor, "n in_width h w"]) -> Float[Tensor, "n c h w"]:
        """Return refined features."""
        return self.act(self.conv2(self.act(self.norm(self.conv1(x))))) + self.shortcut(x)
