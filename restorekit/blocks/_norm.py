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
