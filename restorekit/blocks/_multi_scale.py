"""How features of several scales meet in MIMO-UNet."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from restorekit.blocks._conv import conv
from restorekit.blocks._entry import conv_act
from restorekit.ops import Pyramid, downscale
from restorekit.parts import register_connector


@register_connector("scm", role="stem")
class ShallowConvolutionalModule(nn.Module):
    """Shallow convolutional module (SCM): features of a small image, from four convolutions and the image itself.

    conv([image, 1x1(3x3(1x1(3x3(image))))]), with a ReLU after each of the four. Source: Cho et al., MIMO-UNet, ICCV 2021,
    arXiv:2108.05054, section 3.1.

    Args:
        image_channels: channels of the image.
        width: channels of the features, at least 4 and more than those of the image.

    Raises:
        ValueError: if the width is too small.

    Example:
        >>> ShallowConvolutionalModule(3, 16)(torch.zeros(1, 3, 5, 7)).shape
        torch.Size([1, 16, 5, 7])
    """

    def __init__(self, image_channels: int, width: int) -> None:
        super().__init__()
        if width < 4 or width <= image_channels:
            raise ValueError(
                f"an image of {image_channels} channels needs features of at least {max(4, image_channels + 1)} channels, which "
                f"contain the image; got {width}; choose a larger width, or the stem 'conv'"
            )
        self.convs = nn.Sequential(
            conv_act(image_channels, width // 4),
            conv_act(width // 4, width // 2, kernel_size=1),
            conv_act(width // 2, width // 2),
            conv_act(width // 2, width - image_channels, kernel_size=1),
        )
        self.project = conv(width, width, 1, bias=True)

    def forward(self, image: Float[Tensor, "n image_channels h w"]) -> Float[Tensor, "n c h w"]:
        """Return the features."""
        return self.project(torch.cat((image, self.convs(image)), dim=1))


@register_connector("fam", role="guide")
class FeatureAttentionModule(nn.Module):
    """Feature attention module (FAM): adds a convolution of the product of features and guidance to the features.

    Source: Cho et al., MIMO-UNet, ICCV 2021, arXiv:2108.05054, section 3.1, where the guidance is features of a smaller image.

    Args:
        width: channels of both.
        kernel_size: side of the kernel.

    Example:
        >>> x = torch.zeros(1, 16, 5, 7)
        >>> FeatureAttentionModule(16)(x, x).shape
        torch.Size([1, 16, 5, 7])
    """

    def __init__(self, width: int, *, kernel_size: int = 3) -> None:
        super().__init__()
        self.conv = conv(width, width, kernel_size, bias=True)

    def forward(self, x: Float[Tensor, "n c h w"], guidance: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return the features with those that the guidance selects."""
        return x + self.conv(x * guidance)


class AsymmetricFeatureFusion(nn.Module):
    """Asymmetric feature fusion (AFF): features of all levels, resized to one of them, and convolved together.

    Resizing takes the nearest pixel: the first of each block, or the same for each block. Then a 1x1 convolution, a ReLU and a 3x3
    convolution. Source: Cho et al., MIMO-UNet, ICCV 2021, arXiv:2108.05054, section 3.2.

    Args:
        widths: channels of each level, finest first; level i has stride 2^i.
        level: the level that the result belongs to.

    Example:
        >>> fine, coarse = torch.zeros(1, 16, 8, 12), torch.zeros(1, 32, 4, 6)
        >>> AsymmetricFeatureFusion((16, 32), 0)((fine, coarse)).shape
        torch.Size([1, 16, 8, 12])
    """

    def __init__(self, widths: Sequence[int], level: int) -> None:
        super().__init__()
        self.level = level
        self.merge = conv_act(sum(widths), widths[level], kernel_size=1)
        self.conv = conv(widths[level], widths[level], bias=True)

    def forward(self, features: Pyramid) -> Float[Tensor, "n c h w"]:
        """Return features of the level, from those of all levels, finest first."""
        return self.conv(self.merge(torch.cat([_resized(x, i, self.level) for i, x in enumerate(features)], dim=1)))


def _resized(x: Float[Tensor, "n c h w"], level: int, wanted: int) -> Float[Tensor, "n c h2 w2"]:
    """Return features of one level at the size of another."""
    if level <= wanted:
        return downscale(x, 2 ** (wanted - level), "corner")
    return F.interpolate(x, scale_factor=float(2 ** (level - wanted)), mode="nearest")
