"""Peak signal-to-noise ratio."""

import math

from restorekit.metrics._pairs import Image, as_tensor, comparable


def psnr(a: Image, b: Image, *, mask: Image | None = None) -> float:
    """Return the peak signal-to-noise ratio of two images in dB: 10 log10(peak^2 / mean squared difference).

    The mean is taken jointly over all elements, including colour channels and the batch, as MATLAB's ``psnr`` does with an RGB
    image. The metric is symmetric, and infinite for equal images.

    Args:
        a: 8-bit image (peak 255) or floating-point image in [0, 1] (peak 1); array or tensor.
        b: image of the same kind and shape.
        mask: weight of every element, of the same shape; the mean is then sum(mask * squared difference) / sum(mask).

    Raises:
        ValueError: if the shapes or dtypes do not match, the images are empty, or the mask is zero everywhere.

    Example:
        >>> round(psnr(np.full((4, 4, 3), 100, np.uint8), np.full((4, 4, 3), 110, np.uint8)), 2)
        28.13
    """
    first, second, peak = comparable(a, b)
    squares = (first - second).square()
    if mask is None:
        error = squares.mean().item()
    else:
        weights = as_tensor(mask).to(squares)
        if weights.shape != squares.shape or not weights.sum() > 0:
            raise ValueError(
                f"the mask must have the images' shape {tuple(squares.shape)} and a positive sum; "
                f"got shape {tuple(weights.shape)}, sum {weights.sum().item():g}"
            )
        error = ((weights * squares).sum() / weights.sum()).item()
    return math.inf if error == 0 else 10 * math.log10(peak**2 / error)
