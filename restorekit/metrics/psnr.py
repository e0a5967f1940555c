"""Peak signal-to-noise ratio."""

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Image = Tensor | npt.NDArray[np.uint8] | npt.NDArray[np.floating]


def psnr(a: Image, b: Image) -> float:
    """Return the peak signal-to-noise ratio of two images in dB: 10 log10(peak^2 / mean squared difference).

    The mean is taken over all elements jointly, colour channels and a batch included; this is what MATLAB's ``psnr`` does with
    an RGB image. It is symmetric, and infinite for equal images.

    Args:
        a: 8-bit image (peak 255) or floating-point image in [0, 1] (peak 1); array or tensor.
        b: image of the same kind and shape.

    Raises:
        ValueError: if the shapes or dtypes do not match, or the images are empty.

    Example:
        >>> round(psnr(np.full((4, 4, 3), 100, np.uint8), np.full((4, 4, 3), 110, np.uint8)), 2)
        28.13
    """
    first, second = _tensor(a), _tensor(b)
    if first.shape != second.shape or first.numel() == 0:
        raise ValueError(f"images must have one shape and not be empty; got {tuple(first.shape)} and {tuple(second.shape)}")
    for image in (first, second):
        if image.dtype != torch.uint8 and not image.is_floating_point():
            raise ValueError(f"images must be uint8 or floating point in [0, 1]; got {image.dtype}")
    if (first.dtype == torch.uint8) != (second.dtype == torch.uint8):
        raise ValueError(f"images must be both uint8 or both floating point; got {first.dtype} and {second.dtype}")
    peak = 255.0 if first.dtype == torch.uint8 else 1.0
    error = (first.double() - second.double()).square().mean().item()
    return math.inf if error == 0 else 10 * math.log10(peak**2 / error)


def _tensor(image: Image) -> Tensor:
    return image if isinstance(image, Tensor) else torch.from_numpy(np.array(image))  # a copy: torch refuses read-only arrays
