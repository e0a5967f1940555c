"""Training losses: scalars, mean over elements."""

from jaxtyping import Float
from torch import Tensor


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
    if output.shape != target.shape:
        raise ValueError(f"output and target must have one shape; got {tuple(output.shape)} and {tuple(target.shape)}")
    return ((output - target).square() + eps**2).sqrt().mean()
