"""Luma."""

from typing import TypeVar, cast

import torch
from torch import Tensor

from restorekit.metrics._pairs import Image, as_batch

ImageT = TypeVar("ImageT", bound=Image)

WEIGHTS = (65.481, 128.553, 24.966)  # of R, G, B in [0, 1]; Y is in 0..255
BLACK = 16.0


def rgb_to_y(image: ImageT) -> ImageT:
    """Return the luma of an RGB image like MATLAB's ``rgb2ycbcr``: Y = 16 + 65.481 R + 128.553 G + 24.966 B.

    Black is 16 and white 235, so differences shrink by 219 / 255 compared with those of a full-range luma. For 8-bit images (R, G
    and B divided by 255) the result is rounded to 8 bits, halves upwards; for floating-point images it is Y / 255. Source: ITU-R
    BT.601, as documented for ``rgb2ycbcr``.

    Args:
        image: 8-bit image or floating-point image in [0, 1]: an array, H x W x 3, or a tensor, N x 3 x H x W.

    Returns:
        Image of the same kind and dtype with one channel: H x W x 1 or N x 1 x H x W.

    Raises:
        ValueError: if the image does not have three channels, or is neither 8-bit nor floating point.

    Example:
        >>> rgb_to_y(np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)).ravel()
        array([ 16, 235], dtype=uint8)
    """
    batch = as_batch(image)
    if batch.shape[1] != len(WEIGHTS):
        raise ValueError(f"an RGB image has 3 channels (H x W x 3, or N x 3 x H x W); got shape {tuple(image.shape)}")
    if batch.dtype != torch.uint8 and not batch.is_floating_point():
        raise ValueError(f"images must be uint8 or floating point in [0, 1]; got {batch.dtype}")
    weights = torch.tensor(WEIGHTS, dtype=torch.float64, device=batch.device)
    scale = 255 if batch.dtype == torch.uint8 else 1
    luma = BLACK + torch.einsum("c,nchw->nhw", weights, batch.double() / scale)[:, None]
    luma = (luma + 0.5).floor() if batch.dtype == torch.uint8 else luma / 255
    luma = luma.to(batch.dtype)
    return cast(ImageT, luma if isinstance(image, Tensor) else luma[0].permute(1, 2, 0).numpy())
