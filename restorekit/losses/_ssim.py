"""Structural similarity as a loss."""

from jaxtyping import Float
from torch import Tensor, nn

from restorekit.losses._difference import check_shapes
from restorekit.losses._registry import register_loss
from restorekit.metrics import SSIM_RADIUS, ssim_map


@register_loss("ssim")
def ssim(output: Float[Tensor, "n c h w"], target: Float[Tensor, "n c h w"]) -> Float[Tensor, ""]:
    """Return 1 - SSIM, the structural similarity of :func:`restorekit.metrics.ssim`: 11 x 11 Gaussian windows inside the image.

    Source: Zhao et al., Loss functions for image restoration with neural networks, IEEE Transactions on Computational
    Imaging 3(1), 2017, arXiv:1511.08861.

    Args:
        output: restored image in [0, 1].
        target: ground truth, of the same shape.

    Raises:
        ValueError: if the shapes differ, or the images are smaller than a window.
    """
    check_shapes(output, target)
    if min(output.shape[-2:]) <= 2 * SSIM_RADIUS:
        raise ValueError(
            f"the SSIM loss needs images of at least {2 * SSIM_RADIUS + 1} pixels per side; got {tuple(output.shape[-2:])}"
        )
    return 1 - ssim_map(output, target, 1.0).mean()


class SSIM(nn.Module):
    """The loss :func:`ssim` as a module."""

    def forward(self, output: Float[Tensor, "n c h w"], target: Float[Tensor, "n c h w"]) -> Float[Tensor, ""]:
        """Return the loss."""
        return ssim(output, target)
