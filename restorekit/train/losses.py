"""Training losses: functions that return scalars, and modules of the same names.

Each takes the restored and the true image, N x C x H x W in [0, 1], of one shape. All are zero or smallest where both are equal.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from restorekit.metrics.ssim import RADIUS, ssim_map
from restorekit.ops.filters import filter_separable

PYRAMID_KERNEL = (0.05, 0.25, 0.4, 0.25, 0.05)


def charbonnier(output: Float[Tensor, "..."], target: Float[Tensor, "..."], *, eps: float = 1e-3) -> Float[Tensor, ""]:
    """Return the Charbonnier loss: the mean of sqrt(difference^2 + eps^2), an L1 loss that is smooth at zero.

    Source: Zamir et al., CVPR 2021, arXiv:2102.02808, equation 2.

    Args:
        output: restored image.
        target: true image, of the same shape.
        eps: width of the smooth part; also the loss where both are equal.

    Raises:
        ValueError: if the shapes differ.
    """
    return _charbonnier(_difference(output, target), eps)


def edge(output: Float[Tensor, "n c h w"], target: Float[Tensor, "n c h w"], *, eps: float = 1e-3) -> Float[Tensor, ""]:
    """Return the edge loss: the Charbonnier loss of the Laplacians of both images.

    The Laplacian of x is x - G(up(G(x))), a level of a Laplacian pyramid: G filters with the outer product of
    (.05 .25 .4 .25 .05) with itself, borders replicated; ``up`` keeps every other pixel of both axes, times 4, among zeros. It is
    linear, so it is taken of the difference. Source: Zamir et al., CVPR 2021, arXiv:2102.02808, equation 3; the kernel is that of
    Burt and Adelson, IEEE Transactions on Communications 31(4), 1983, with a = 0.4.

    Args:
        output: restored image.
        target: true image, of the same shape.
        eps: that of the Charbonnier loss; also the loss where both are equal.

    Raises:
        ValueError: if the shapes differ.
    """
    difference = _difference(output, target)
    kernel = torch.tensor(PYRAMID_KERNEL, dtype=difference.dtype, device=difference.device)
    blurred = _filter_replicated(difference, kernel)
    kept = torch.zeros_like(blurred)
    kept[..., ::2, ::2] = 4 * blurred[..., ::2, ::2]
    return _charbonnier(difference - _filter_replicated(kept, kernel), eps)


def l1(output: Float[Tensor, "..."], target: Float[Tensor, "..."]) -> Float[Tensor, ""]:
    """Return the mean absolute difference.

    Args:
        output: restored image.
        target: true image, of the same shape.

    Raises:
        ValueError: if the shapes differ.
    """
    return _difference(output, target).abs().mean()


def psnr(output: Float[Tensor, "n c h w"], target: Float[Tensor, "n c h w"], *, eps: float = 1e-8) -> Float[Tensor, ""]:
    """Return the negative PSNR in dB, averaged over the images: the mean of 10 log10(mean squared difference + eps).

    It is negative, and -80 where both are equal. HINet was trained with half of it on both outputs. Source: Chen et al., CVPRW
    2021, arXiv:2105.06086.

    Args:
        output: restored image.
        target: true image, of the same shape.
        eps: keeps equal images finite.

    Raises:
        ValueError: if the shapes differ.
    """
    errors = _difference(output, target).square().flatten(1).mean(dim=1)
    return 10 * torch.log10(errors + eps).mean()


def ssim(output: Float[Tensor, "n c h w"], target: Float[Tensor, "n c h w"]) -> Float[Tensor, ""]:
    """Return 1 - SSIM, the structural similarity of :func:`restorekit.metrics.ssim`: 11 x 11 Gaussian windows inside the image.

    Source: Zhao et al., Loss functions for image restoration with neural networks, IEEE Transactions on Computational
    Imaging 3(1), 2017, arXiv:1511.08861.

    Args:
        output: restored image in [0, 1].
        target: true image, of the same shape.

    Raises:
        ValueError: if the shapes differ, or the images are smaller than a window.
    """
    _check_shapes(output, target)
    if min(output.shape[-2:]) <= 2 * RADIUS:
        raise ValueError(f"the SSIM loss needs images of at least {2 * RADIUS + 1} pixels a side; got {tuple(output.shape[-2:])}")
    return 1 - ssim_map(output, target, 1.0).mean()


def fft(output: Float[Tensor, "n c h w"], target: Float[Tensor, "n c h w"]) -> Float[Tensor, ""]:
    """Return the mean absolute difference of the two-dimensional Fourier transforms, over their real and imaginary parts.

    The transform is not normalised, so values grow with the square root of the number of pixels; weights of about 0.1 are usual.
    Source: Cho et al., MIMO-UNet, ICCV 2021, arXiv:2108.05054, equation 5.

    Args:
        output: restored image.
        target: true image, of the same shape.

    Raises:
        ValueError: if the shapes differ.
    """
    return torch.view_as_real(torch.fft.fft2(_difference(output, target))).abs().mean()


class Charbonnier(nn.Module):
    """The loss :func:`charbonnier` as a module.

    Args:
        eps: width of the smooth part.
    """

    def __init__(self, eps: float = 1e-3) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, output: Float[Tensor, "..."], target: Float[Tensor, "..."]) -> Float[Tensor, ""]:
        """Return the loss."""
        return charbonnier(output, target, eps=self.eps)


class Edge(nn.Module):
    """The loss :func:`edge` as a module.

    Args:
        eps: that of the Charbonnier loss.
    """

    def __init__(self, eps: float = 1e-3) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, output: Float[Tensor, "n c h w"], target: Float[Tensor, "n c h w"]) -> Float[Tensor, ""]:
        """Return the loss."""
        return edge(output, target, eps=self.eps)


class L1(nn.Module):
    """The loss :func:`l1` as a module."""

    def forward(self, output: Float[Tensor, "..."], target: Float[Tensor, "..."]) -> Float[Tensor, ""]:
        """Return the loss."""
        return l1(output, target)


class PSNR(nn.Module):
    """The loss :func:`psnr` as a module.

    Args:
        eps: keeps equal images finite.
    """

    def __init__(self, eps: float = 1e-8) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, output: Float[Tensor, "n c h w"], target: Float[Tensor, "n c h w"]) -> Float[Tensor, ""]:
        """Return the loss."""
        return psnr(output, target, eps=self.eps)


class SSIM(nn.Module):
    """The loss :func:`ssim` as a module."""

    def forward(self, output: Float[Tensor, "n c h w"], target: Float[Tensor, "n c h w"]) -> Float[Tensor, ""]:
        """Return the loss."""
        return ssim(output, target)


class FFT(nn.Module):
    """The loss :func:`fft` as a module."""

    def forward(self, output: Float[Tensor, "n c h w"], target: Float[Tensor, "n c h w"]) -> Float[Tensor, ""]:
        """Return the loss."""
        return fft(output, target)


def _difference(output: Tensor, target: Tensor) -> Tensor:
    _check_shapes(output, target)
    return output - target


def _check_shapes(output: Tensor, target: Tensor) -> None:
    if output.shape != target.shape:
        raise ValueError(f"output and target must have one shape; got {tuple(output.shape)} and {tuple(target.shape)}")


def _charbonnier(difference: Tensor, eps: float) -> Tensor:
    return (difference.square() + eps**2).sqrt().mean()


def _filter_replicated(x: Tensor, kernel: Tensor) -> Tensor:
    radius = len(kernel) // 2
    return filter_separable(F.pad(x, (radius,) * 4, mode="replicate"), kernel)
