"""The difference of Fourier transforms."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from restorekit.losses._difference import difference_of
from restorekit.losses._registry import register_loss


@register_loss("fft")
def fft(output: Float[Tensor, "n c h w"], target: Float[Tensor, "n c h w"]) -> Float[Tensor, ""]:
    """Return the mean absolute difference of the two-dimensional Fourier transforms, over their real and imaginary parts.

    The transform is not normalised, so values grow with the square root of the number of pixels; weights of about 0.1 are usual.
    Source: Cho et al., MIMO-UNet, ICCV 2021, arXiv:2108.05054, equation 5.

    Args:
        output: restored image.
        target: ground truth, of the same shape.

    Raises:
        ValueError: if the shapes differ.
    """
    return torch.view_as_real(torch.fft.fft2(difference_of(output, target))).abs().mean()


class FFT(nn.Module):
    """The loss :func:`fft` as a module."""

    def forward(self, output: Float[Tensor, "n c h w"], target: Float[Tensor, "n c h w"]) -> Float[Tensor, ""]:
        """Return the loss."""
        return fft(output, target)
