"""Statistics of the whole image for parts that need them: means of features over height and width.

Parts that need such statistics contain one of these modules, so that it can be replaced by a local one; see
:func:`restorekit.inference.local_pooling`.
"""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

EPSILON = 1e-5  # added to variances, as PyTorch's instance norm does by default


class GlobalMean(nn.Module):
    """Mean of every channel over height and width."""

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c 1 1"]:
        """Return the means."""
        return F.adaptive_avg_pool2d(x, 1)


class GlobalNormalisation(nn.Module):
    """Normalises channels to mean 0 and variance 1 over height and width: instance norm without factors. One pixel becomes 0."""

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return the normalised features."""
        # A layer norm over (h, w) is instance norm. Unlike F.instance_norm, it accepts maps of a single pixel.
        return F.layer_norm(x, x.shape[-2:], eps=EPSILON)
