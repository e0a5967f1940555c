"""Structural similarity, in the two definitions used by published tables."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from restorekit.metrics._pairs import Image, as_batch, comparable_batches
from restorekit.ops import filter_separable, gaussian_kernel

SIGMA = 1.5
SSIM_RADIUS = 5  # radius of the window: 11 pixels across
K1, K2 = 0.01, 0.03


def ssim(a: Image, b: Image, *, mask: Image | None = None) -> float:
    """Return the structural similarity of two images, as Wang et al. defined it for one channel.

    With Gaussian-weighted moments in windows of 11 x 11 pixels, sigma 1.5, and C1 = (0.01 peak)^2, C2 = (0.03 peak)^2,
    SSIM = (2 m_a m_b + C1) (2 s_ab + C2) / ((m_a^2 + m_b^2 + C1) (s_a^2 + s_b^2 + C2)), averaged over all windows that lie inside
    the image, and over the channels. Variances are population variances (no factor n / (n - 1)). scikit-image agrees with
    ``gaussian_weights=True, sigma=1.5, use_sample_covariance=False``. Source: Wang et al., IEEE Transactions on Image Processing
    13(4), 2004, and the authors' program of 2003 (``ssim_index.m``), without its downscaling of large images.

    Args:
        a: 8-bit image (peak 255) or floating-point image in [0, 1] (peak 1): an array, H x W or H x W x C, or a tensor,
            N x C x H x W, whose images are averaged.
        b: image of the same kind and shape.
        mask: weight of every pixel, of the same shape. Each channel's mean is then sum(mask * SSIM) / sum(mask).

    Raises:
        ValueError: if the shapes or dtypes do not match, the images are smaller than a window, or the mask is zero everywhere.

    Example:
        >>> image = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
        >>> ssim(image, image)
        1.0
    """
    first, second, peak = comparable_batches(a, b)
    height, width = first.shape[-2:]
    if min(height, width) <= 2 * SSIM_RADIUS:
        raise ValueError(f"SSIM needs images of at least {2 * SSIM_RADIUS + 1}x{2 * SSIM_RADIUS + 1} pixels; got {height}x{width}")
    values = ssim_map(first, second, peak)
    if mask is None:
        return values.mean().item()
    weights = as_batch(mask).to(values)
    if weights.shape != first.shape:
        raise ValueError(f"the mask must have the images' shape {tuple(first.shape)} (N x C x H x W); got {tuple(weights.shape)}")
    weights = weights[..., SSIM_RADIUS:-SSIM_RADIUS, SSIM_RADIUS:-SSIM_RADIUS]
    sums = weights.sum(dim=(-2, -1))
    if not (sums > 0).all():
        raise ValueError("the mask leaves no pixel in a channel; it must not be zero everywhere")
    return ((weights * values).sum(dim=(-2, -1)) / sums).mean().item()


def ssim_map(a: Float[Tensor, "n c h w"], b: Float[Tensor, "n c h w"], peak: float) -> Float[Tensor, "n c h_valid w_valid"]:
    """Return the structural similarity of every window of :func:`ssim` that lies inside the images; differentiable."""
    kernel = gaussian_kernel(SSIM_RADIUS, SIGMA, a)
    return _similarity(filter_separable(_products(a, b), kernel), peak)


def ssim_3d(a: Image, b: Image) -> float:
    """Return the structural similarity of two images as MATLAB's ``ssim`` computes it for an H x W x C array, treated as a volume.

    The formula and constants are those of :func:`ssim`, but the window is a Gaussian of 11 x 11 x 11 voxels: it runs over the
    channel axis too, so with three channels each value mixes all of them. Borders are replicated on all axes, and the mean is taken
    over all voxels. Published SSIM values for GoPro, HIDE and SIDD use this definition. Source: documentation of MATLAB's ``ssim``.

    Args:
        a: 8-bit image (peak 255) or floating-point image in [0, 1] (peak 1): an array, H x W or H x W x C, or a tensor,
            N x C x H x W, whose images are averaged. With one channel it is MATLAB's ``ssim`` of a grey image.
        b: image of the same kind and shape.

    Raises:
        ValueError: if the shapes or dtypes do not match, or the images are empty.

    Example:
        >>> image = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
        >>> ssim_3d(image, image)
        1.0
    """
    first, second, peak = comparable_batches(a, b)
    kernel = gaussian_kernel(SSIM_RADIUS, SIGMA, first)
    mixed = torch.einsum("dc,nchw->ndhw", _across_channels(kernel, first.shape[1]), _products(first, second))
    moments = filter_separable(F.pad(mixed, (SSIM_RADIUS,) * 4, mode="replicate"), kernel)
    return _similarity(moments, peak).mean().item()


def _across_channels(kernel: Tensor, channels: int) -> Tensor:
    """Return the matrix that filters the channel axis, replicated at its ends: the weight of each channel in each output."""
    matrix = torch.zeros(channels, channels).to(kernel)
    for i in range(channels):
        for offset, weight in enumerate(kernel, start=-SSIM_RADIUS):
            matrix[i, min(max(i + offset, 0), channels - 1)] += weight
    return matrix


def _products(a: Tensor, b: Tensor) -> Tensor:
    """Return the inputs of local moments, concatenated in the batch: a, b, a^2 + b^2, ab."""
    return torch.cat((a, b, a * a + b * b, a * b))


def _similarity(moments: Tensor, peak: float) -> Tensor:
    """Return SSIM from the local means of :func:`_products`."""
    mean_a, mean_b, mean_squares, mean_ab = moments.chunk(4)
    c1, c2 = (K1 * peak) ** 2, (K2 * peak) ** 2
    product, squares = mean_a * mean_b, mean_a.square() + mean_b.square()
    return (2 * product + c1) * (2 * (mean_ab - product) + c2) / ((squares + c1) * (mean_squares - squares + c2))
