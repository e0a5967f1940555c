"""Normalisation of features."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class ChannelLayerNorm(nn.Module):
    """Layer normalisation over the channels of each pixel, then a factor and an offset for each channel.

    Source: Ba et al., 2016, arXiv:1607.06450; over channels as in Chen et al., ECCV 2022, arXiv:2204.04676.

    Args:
        width: channels of the features.
        eps: added to the variance.

    Example:
        >>> ChannelLayerNorm(16)(torch.zeros(1, 16, 5, 7)).shape
        torch.Size([1, 16, 5, 7])
    """

    def __init__(self, width: int, *, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.eps = eps

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return the normalised features."""
        channels_last = x.permute(0, 2, 3, 1)
        return F.layer_norm(channels_last, self.weight.shape, self.weight, self.bias, self.eps).permute(0, 3, 1, 2)


class BiasFreeLayerNorm(nn.Module):
    """Divides each pixel by the standard deviation of its channels, then multiplies by a factor for each channel.

    Unlike layer normalisation, the mean is not subtracted: a brighter pixel stays in proportion, which helps denoisers that must
    work at noise levels that they have not seen. Source: Zamir et al., Restormer, CVPR 2022, arXiv:2111.09881, for denoising.

    Args:
        width: channels of the features.
        eps: added to the variance.

    Example:
        >>> BiasFreeLayerNorm(16)(torch.zeros(1, 16, 5, 7)).shape
        torch.Size([1, 16, 5, 7])
    """

    def __init__(self, width: int, *, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return the normalised features."""
        variance = x.var(dim=1, correction=0, keepdim=True)
        return x * (variance + self.eps).rsqrt() * self.weight.view(-1, 1, 1)
