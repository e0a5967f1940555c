"""How a stage uses the guidance from the previous stage."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from restorekit.blocks._conv import conv
from restorekit.parts import register_connector


@register_connector("add", role="guide")
class AddGuidance(nn.Module):
    """Adds the guidance to the features.

    Source: Zamir et al., CVPR 2021, arXiv:2102.02808, section 3.4.

    Args:
        width: channels of both; the sum needs no parameters.
    """

    def __init__(self, width: int) -> None:
        super().__init__()

    def forward(self, x: Float[Tensor, "n c h w"], guidance: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return the sum."""
        return x + guidance


@register_connector("gate", role="guide")
class GatedGuidance(nn.Module):
    """Adds a share of the guidance at every pixel and channel; features and guidance together determine the share.

    x + guidance * sigmoid(1x1 convolution of both). An addition of this project, for comparison with plain addition.

    Args:
        width: channels of both.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gate = conv(2 * width, width, 1, bias=True)

    def forward(self, x: Float[Tensor, "n c h w"], guidance: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return the features with the gated guidance."""
        return x + guidance * self.gate(torch.cat((x, guidance), dim=1)).sigmoid()
