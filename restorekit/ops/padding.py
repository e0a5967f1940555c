"""Padding to a size that a network takes, and back."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def pad_to_multiple(image: Float[Tensor, "n c h w"], multiple: int) -> Float[Tensor, "n c h_padded w_padded"]:
    """Pad an image at the bottom and right until both sides are multiples of ``multiple``.

    The border is reflected; where a side is too short for that (the padding must be smaller than the side),
    it is repeated instead. ``padded[..., :h, :w]`` is the image again.
    """
    height, width = image.shape[-2:]
    bottom, right = -height % multiple, -width % multiple
    for pad, side in (((0, right, 0, 0), width), ((0, 0, 0, bottom), height)):
        if any(pad):
            image = F.pad(image, pad, mode="reflect" if max(pad) < side else "replicate")
    return image
