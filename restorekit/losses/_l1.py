"""The mean absolute difference."""

from jaxtyping import Float
from torch import Tensor, nn

from restorekit.losses._difference import difference_of
from restorekit.losses._registry import register_loss


@register_loss("l1")
def l1(output: Float[Tensor, "..."], target: Float[Tensor, "..."]) -> Float[Tensor, ""]:
    """Return the mean absolute difference.

    Args:
        output: restored image.
        target: ground truth, of the same shape.

    Raises:
        ValueError: if the shapes differ.
    """
    return difference_of(output, target).abs().mean()


class L1(nn.Module):
    """The loss :func:`l1` as a module."""

    def forward(self, output: Float[Tensor, "..."], target: Float[Tensor, "..."]) -> Float[Tensor, ""]:
        """Return the loss."""
        return l1(output, target)
