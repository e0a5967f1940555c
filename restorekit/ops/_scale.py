"""Images at coarser scales."""

from typing import Literal

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

ScaleMode = Literal["area", "nearest"]


def downscale(image: Float[Tensor, "n c h w"], factor: int, mode: ScaleMode = "area") -> Float[Tensor, "n c h_small w_small"]:
    """Return an image with ``1 / factor`` of the height and width.

    Args:
        image: image whose sides are multiples of ``factor``.
        factor: factor by which it becomes smaller.
        mode: ``"area"``, the mean of each ``factor x factor`` pixels, or ``"nearest"``, the pixel at their centre (or after it, if
            ``factor`` is even), as in Tu et al., CVPR 2022, arXiv:2201.02973.
    """
    if factor == 1:
        return image
    if mode == "area":
        return F.avg_pool2d(image, factor)
    return image[..., factor // 2 :: factor, factor // 2 :: factor]
