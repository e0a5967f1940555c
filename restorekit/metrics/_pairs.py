"""Common requirements of all metrics for the two images that they compare."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Image = Tensor | npt.NDArray[np.uint8] | npt.NDArray[np.floating]


class Pair(NamedTuple):
    """Two images that can be compared.

    Attributes:
        first: pixels as float64.
        second: pixels as float64, of the same shape.
        peak: largest possible value: 255 of 8-bit images, otherwise 1.
    """

    first: Tensor
    second: Tensor
    peak: float


def comparable(a: Image, b: Image) -> Pair:
    """Return two arrays or tensors of the same shape, ready to be compared.

    Raises:
        ValueError: if the shapes or dtypes do not match, or the images are empty.
    """
    first, second = as_tensor(a), as_tensor(b)
    if first.shape != second.shape or first.numel() == 0:
        raise ValueError(f"images must have the same shape and not be empty; got {tuple(first.shape)} and {tuple(second.shape)}")
    for image in (first, second):
        if image.dtype != torch.uint8 and not image.is_floating_point():
            raise ValueError(f"images must be uint8 or floating point in [0, 1]; got {image.dtype}")
    if (first.dtype == torch.uint8) != (second.dtype == torch.uint8):
        raise ValueError(f"images must be both uint8 or both floating point; got {first.dtype} and {second.dtype}")
    return Pair(first.double(), second.double(), 255.0 if first.dtype == torch.uint8 else 1.0)


def comparable_batches(a: Image, b: Image) -> Pair:
    """Return two images or batches as N x C x H x W, ready to be compared.

    Args:
        a: array, H x W or H x W x C, or tensor, N x C x H x W.
        b: the same.

    Raises:
        ValueError: if an image has another number of dimensions, or :func:`comparable` rejects them.
    """
    return comparable(as_batch(a), as_batch(b))


def as_batch(image: Image) -> Tensor:
    """Return an array (H x W or H x W x C) or a tensor (N x C x H x W) as an N x C x H x W tensor of the same dtype.

    Raises:
        ValueError: if it has another number of dimensions.
    """
    if isinstance(image, Tensor):
        if image.ndim != 4:
            raise ValueError(f"a tensor must be N x C x H x W; got shape {tuple(image.shape)}")
        return image
    if image.ndim not in (2, 3):
        raise ValueError(f"an array must be H x W or H x W x C; got shape {image.shape}")
    channels_last = as_tensor(image if image.ndim == 3 else image[..., None])
    return channels_last.permute(2, 0, 1)[None]


def as_tensor(image: Image) -> Tensor:
    """Return an array as a tensor of the same shape; a tensor is returned as it is."""
    return image if isinstance(image, Tensor) else torch.from_numpy(np.array(image))  # a copy: torch refuses read-only arrays
