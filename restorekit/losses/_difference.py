"""Code that losses share: the difference of two images."""

from torch import Tensor


def difference_of(output: Tensor, target: Tensor) -> Tensor:
    """Return the difference of two images of the same shape."""
    check_shapes(output, target)
    return output - target


def check_shapes(output: Tensor, target: Tensor) -> None:
    """Raise a ``ValueError`` unless two images have the same shape."""
    if output.shape != target.shape:
        raise ValueError(f"output and target must have the same shape; got {tuple(output.shape)} and {tuple(target.shape)}")
