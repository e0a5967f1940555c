"""The negative PSNR."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from restorekit.losses._difference import difference_of
from restorekit.losses._registry import register_loss


@register_loss("psnr")
def psnr(output: Float[Tensor, "n c h w"], target: Float[Tensor, "n c h w"], *, eps: float = 1e-8) -> Float[Tensor, ""]:
    """Return the negative PSNR in dB, averaged over the images: the mean of 10 log10(mean squared difference + eps).

    It is negative, and -80 where both are equal. HINet was trained with half of it on both outputs. Source: Chen et al., CVPRW
    2021, arXiv:2105.06086.

    Args:
        output: restored image.
        target: ground truth, of the same shape.
        eps: keeps equal images finite.

    Raises:
        ValueError: if the shapes differ.
    """
    errors = difference_of(output, target).square().flatten(1).mean(dim=1)
    return 10 * torch.log10(errors + eps).mean()


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
