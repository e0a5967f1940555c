"""Images at coarser scales."""

from typing import Literal

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

ScaleMode = Literal["area", "nearest", "corner"]


def downscale(image: Float[Tensor, "n c h w"], factor: int, mode: ScaleMode = "area") -> Float[Tensor, "n c h_small w_small"]:
    """Return an image with ``1 / factor`` of the height and width.

    Args:
        image: image whose sides are multiples of ``factor``.
        factor: factor by which it becomes smaller.
        mode: ``"area"``, the mean of each ``factor x factor`` pixels, or ``"nearest"``, the pixel at their centre (or after it, if
            ``factor`` is even), as in Tu et al., CVPR 2022, arXiv:2201.02973, or ``"corner"``, their first pixel, as in Cho et
            al., MIMO-UNet, ICCV 2021, arXiv:2108.05054.
    """
    if factor == 1:
        return image
    if mode == "area":
        return F.avg_pool2d(image, factor)
    first = 0 if mode == "corner" else factor // 2
    return image[..., first::factor, first::factor]
