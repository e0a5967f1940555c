"""Padding to a size that a network takes, and back."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def pad_to_multiple(image: Float[Tensor, "n c h w"], multiple: int) -> Float[Tensor, "n c h_padded w_padded"]:
    """Pad an image at the bottom and right until both sides are multiples of ``multiple``.

    The border is reflected; if a side is too short for that (the padding must be smaller than the side),
    it is repeated instead. ``padded[..., :h, :w]`` is the original image.
    """
    height, width = image.shape[-2:]
    bottom, right = -height % multiple, -width % multiple
    for pad, side in (((0, right, 0, 0), width), ((0, 0, 0, bottom), height)):
        if any(pad):
            image = F.pad(image, pad, mode="reflect" if max(pad) < side else "replicate")
    return image


def pad_centred(image: Float[Tensor, "n c h w"], multiple: int) -> tuple[Float[Tensor, "n c h_padded w_padded"], tuple[int, int]]:
    """Pad an image on all sides until both sides are multiples of ``multiple``.

    First an odd side gets one pixel at its end, then both ends get the same padding; each time the border is reflected, several
    times if needed. This is how Tu et al., CVPR 2022, arXiv:2201.02973, evaluate; one reflection for both steps gives other pixels.

    Returns:
        The padded image, and the row and column where the image starts in it.
    """
    starts = []
    for dim in (-2, -1):
        image = _reflected(image, dim, 0, image.shape[dim] % 2)
        missing = -image.shape[dim] % multiple
        starts.append(missing // 2)
        image = _reflected(image, dim, missing // 2, missing - missing // 2)
    return image, (starts[0], starts[1])


def _reflected(image: Tensor, dim: int, before: int, after: int) -> Tensor:
    """Return an image reflected beyond both ends of one dimension; the pixel at an end is repeated only if it is alone."""
    if before == after == 0:
        return image
    last = image.shape[dim] - 1
    index = torch.arange(-before, last + 1 + after, device=image.device)
    index = last - (last - index % max(1, 2 * last)).abs()  # back and forth between 0 and last
    return image.index_select(dim, index)
