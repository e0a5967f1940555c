"""The residual contextual block of MIRNet-v2."""

from jaxtyping import Float
from torch import Tensor, nn

from restorekit.blocks._conv import conv
from restorekit.parts import register_block

SLOPE = 0.2  # of all activations


@register_block("rcb")
class ResidualContextualBlock(nn.Module):
    """Residual contextual block (RCB): two grouped 3x3 convolutions, to which the context of the whole image is added.

    The context is a mean over the pixels, weighted by attention, followed by two 1x1 convolutions.
    Source: Zamir et al., Learning Enriched Features for Fast Image Restoration and Enhancement, TPAMI 2022.

    Args:
        width: channels of the features.
        groups: groups of channels of the 3x3 convolutions.

    Raises:
        ValueError: if ``groups`` does not divide the width.

    Example:
        >>> import torch
        >>> ResidualContextualBlock(16, groups=2)(torch.zeros(1, 16, 5, 7)).shape
        torch.Size([1, 16, 5, 7])
    """

    def __init__(self, width: int, *, groups: int = 1) -> None:
        super().__init__()
        if groups < 1 or width % groups:
            raise ValueError(f"groups must divide the width; got {groups} groups for width {width}")
        self.body = nn.Sequential(conv(width, width, groups=groups), nn.LeakyReLU(SLOPE), conv(width, width, groups=groups))
        self.attend = conv(width, 1, 1)
        self.context = nn.Sequential(conv(width, width, 1), nn.LeakyReLU(SLOPE), conv(width, width, 1))
        self.act = nn.LeakyReLU(SLOPE)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return refined features."""
        features = self.body(x)
        weights = self.attend(features).flatten(1).softmax(dim=1).unsqueeze(-1)
        mean = (features.flatten(2) @ weights).unsqueeze(-1)
        return x + self.act(features + self.context(mean))
