"""The edge loss."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from restorekit.losses._charbonnier import mean_charbonnier
from restorekit.losses._difference import difference_of
from restorekit.losses._registry import register_loss
from restorekit.ops import filter_separable

PYRAMID_KERNEL = (0.05, 0.25, 0.4, 0.25, 0.05)


@register_loss("edge")
def edge(output: Float[Tensor, "n c h w"], target: Float[Tensor, "n c h w"], *, eps: float = 1e-3) -> Float[Tensor, ""]:
    """Return the edge loss: the Charbonnier loss of the Laplacians of both images.

    The Laplacian of x is x - G(up(G(x))), a level of a Laplacian pyramid: G filters with the outer product of
    (.05 .25 .4 .25 .05) with itself, borders replicated; ``up`` keeps every other pixel of both axes, times 4, among zeros. It is
    linear, so it is applied to the difference. Source: Zamir et al., CVPR 2021, arXiv:2102.02808, equation 3; the kernel is from
    Burt and Adelson, IEEE Transactions on Communications 31(4), 1983, with a = 0.4.

    Args:
        output: restored image.
        target: ground truth, of the same shape.
        eps: as in the Charbonnier loss; also the loss where both are equal.

    Raises:
        ValueError: if the shapes differ.
    """
    difference = difference_of(output, target)
    kernel = torch.tensor(PYRAMID_KERNEL, dtype=difference.dtype, device=difference.device)
    blurred = _filter_replicated(difference, kernel)
    kept = torch.zeros_like(blurred)
    kept[..., ::2, ::2] = 4 * blurred[..., ::2, ::2]
    return mean_charbonnier(difference - _filter_replicated(kept, kernel), eps)


class Edge(nn.Module):
    """The loss :func:`edge` as a module.

    Args:
        eps: as in the Charbonnier loss.
    """

    def __init__(self, eps: float = 1e-3) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, output: Float[Tensor, "n c h w"], target: Float[Tensor, "n c h w"]) -> Float[Tensor, ""]:
        """Return the loss."""
        return edge(output, target, eps=self.eps)


def _filter_replicated(x: Tensor, kernel: Tensor) -> Tensor:
    radius = len(kernel) // 2
    return filter_separable(F.pad(x, (radius,) * 4, mode="replicate"), kernel)
