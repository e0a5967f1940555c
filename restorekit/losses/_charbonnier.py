"""The Charbonnier loss."""

from jaxtyping import Float
from torch import Tensor, nn

from restorekit.losses._difference import difference_of
from restorekit.losses._registry import register_loss


@register_loss("charbonnier")
def charbonnier(output: Float[Tensor, "..."], target: Float[Tensor, "..."], *, eps: float = 1e-3) -> Float[Tensor, ""]:
    """Return the Charbonnier loss: the mean of sqrt(difference^2 + eps^2), an L1 loss that is smooth at zero.

    Source: Zamir et al., CVPR 2021, arXiv:2102.02808, equation 2.

    Args:
        output: restored image.
        target: ground truth, of the same shape.
        eps: width of the smooth part; also the loss where both are equal.

    Raises:
        ValueError: if the shapes differ.
    """
    return mean_charbonnier(difference_of(output, target), eps)


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


def mean_charbonnier(difference: Tensor, eps: float) -> Tensor:
    """Return the Charbonnier loss of a difference."""
    return (difference.square() + eps**2).sqrt().mean()
