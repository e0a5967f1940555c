"""Resizing of features by two, with a change of width."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from restorekit.blocks.conv import conv
from restorekit.registry import register_connector


@register_connector("downsample")
class Downsample(nn.Module):
    """Halves height and width (bilinear), then changes the width with a 1x1 convolution without bias.

    Source: Zamir et al., CVPR 2021, arXiv:2102.02808, section 3.2. Bilinear resizing to half an even size is the mean of 2x2
    pixels, and is computed as that.

    Args:
        in_width: channels of the input.
        out_width: channels of the output.

    Example:
        >>> Downsample(16, 24)(torch.zeros(1, 16, 6, 8)).shape
        torch.Size([1, 24, 3, 4])
    """

    def __init__(self, in_width: int, out_width: int) -> None:
        super().__init__()
        self.conv = conv(in_width, out_width, 1)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n out_width h_half w_half"]:
        """Return features of half the size; both sides must be even."""
        return self.conv(F.avg_pool2d(x, 2))


@register_connector("upsample")
class Upsample(nn.Module):
    """Doubles height and width (bilinear) and changes the width with a 1x1 convolution without bias.

    Source: Zamir et al., CVPR 2021, arXiv:2102.02808, section 3.2. The published order is resizing first; the two commute, and
    the convolution costs a quarter on the small side.

    Args:
        in_width: channels of the input.
        out_width: channels of the output.

    Example:
        >>> Upsample(24, 16)(torch.zeros(1, 24, 3, 4)).shape
        torch.Size([1, 16, 6, 8])
    """

    def __init__(self, in_width: int, out_width: int) -> None:
        super().__init__()
        self.conv = conv(in_width, out_width, 1)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n out_width h_double w_double"]:
        """Return features of double the size."""
        return F.interpolate(self.conv(x), scale_factor=2.0, mode="bilinear", align_corners=False)
