"""Filters with fixed kernels."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def gaussian_kernel(radius: int, sigma: float, like: Tensor) -> Float[Tensor, " size"]:
    """Return a sampled Gaussian of ``2 * radius + 1`` values that sum to one, with the dtype and device of ``like``."""
    x = torch.arange(-radius, radius + 1, dtype=torch.float64)
    kernel = torch.exp(-0.5 * (x / sigma) ** 2)
    return (kernel / kernel.sum()).to(like)


def filter_separable(x: Float[Tensor, "n c h w"], kernel: Float[Tensor, " size"]) -> Float[Tensor, "n c h_valid w_valid"]:
    """Correlate every map with the outer product of a kernel with itself, wherever the whole kernel fits."""
    channels, size = x.shape[1], len(kernel)
    x = F.conv2d(x, kernel.reshape(1, 1, size, 1).expand(channels, -1, -1, -1), groups=channels)
    return F.conv2d(x, kernel.reshape(1, 1, 1, size).expand(channels, -1, -1, -1), groups=channels)
