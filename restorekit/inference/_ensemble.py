"""Self-ensemble: the mean of the results for an image turned and mirrored in all eight ways."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

Run = Callable[[Float[Tensor, "n c h w"]], Float[Tensor, "n c_out h_out w_out"]]


def self_ensemble(run: Run, image: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c_out h_out w_out"]:
    """Return the mean of the results for an image turned by 0, 90, 180 and 270 degrees, mirrored and not, each turned back.

    This takes eight times as long and gains a few hundredths to tenths of a decibel.
    Source: Lim et al., Enhanced Deep Residual Networks for Single Image Super-Resolution, CVPRW 2017, arXiv:1707.02921.

    Args:
        run: restores a batch; it is also called with height and width exchanged.
        image: image in floating point.

    Example:
        >>> image = torch.rand(1, 3, 4, 6)
        >>> torch.allclose(self_ensemble(lambda turned: turned, image), image)
        True
    """
    total: Tensor | None = None
    for mirrored in (False, True):
        for quarters in range(4):
            turned = torch.rot90(image.flip(-1) if mirrored else image, quarters, dims=(-2, -1))
            restored = torch.rot90(run(turned.contiguous(memory_format=torch.channels_last)), -quarters, dims=(-2, -1))
            restored = restored.flip(-1) if mirrored else restored
            total = restored.to(image.dtype, copy=True) if total is None else total.add_(restored)
    assert total is not None
    return total / 8
