"""Heads: connectors that restore an image from features."""

from collections.abc import Sequence

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from restorekit.blocks._conv import conv
from restorekit.parts import register_connector


@register_connector("residual_head", role="head")
class ResidualHead(nn.Module):
    """Restores an image: a convolution of the features is added to the degraded image.

    Source: Zamir et al., CVPR 2021, arXiv:2102.02808, section 3: every stage predicts a residual.

    Args:
        width: channels of the features.
        image_channels: channels of the restored image.
        kernel_size: side of the kernel.
        bias: whether the convolution has a bias.
        of: which input channels are the image that is added; by default all. Of a burst or a pair of views, the first image:
            ``[0, 1, 2]``.

    Example:
        >>> import torch
        >>> ResidualHead(16, of=[0, 1, 2])(torch.zeros(1, 16, 5, 7), torch.zeros(1, 6, 5, 7)).shape
        torch.Size([1, 3, 5, 7])
    """

    def __init__(
        self,
        width: int,
        image_channels: int = 3,
        *,
        kernel_size: int = 3,
        bias: bool = False,
        of: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.of = of
        self.to_image = conv(width, image_channels, kernel_size, bias=bias)

    def forward(
        self, x: Float[Tensor, "n c h w"], image: Float[Tensor, "n in_channels h w"]
    ) -> Float[Tensor, "n image_channels h w"]:
        """Return the restored image (not clamped)."""
        return add_image(self.to_image(x), image, self.of)


@register_connector("direct", role="head")
class DirectHead(nn.Module):
    """Restores an image directly: a convolution of the features, to which no image is added.

    For results with other channels than the input, or that differ from it everywhere.

    Args:
        width: channels of the features.
        image_channels: channels of the restored image.
        kernel_size: side of the kernel.
        bias: whether the convolution has a bias.
    """

    def __init__(self, width: int, image_channels: int = 3, *, kernel_size: int = 3, bias: bool = False) -> None:
        super().__init__()
        self.to_image = conv(width, image_channels, kernel_size, bias=bias)

    def forward(
        self, x: Float[Tensor, "n c h w"], image: Float[Tensor, "n in_channels h w"]
    ) -> Float[Tensor, "n image_channels h w"]:
        """Return the restored image (not clamped)."""
        return self.to_image(x)


@register_connector("pixel_shuffle", role="head")
class PixelShuffleHead(nn.Module):
    """Restores an enlarged image: a convolution to ``scale`` x ``scale`` times its channels, then pixel shuffle.

    Source: Shi et al., CVPR 2016, arXiv:1609.05158.

    Args:
        width: channels of the features.
        image_channels: channels of the restored image.
        scale: how many times as high and wide as the features the image is.
        kernel_size: side of the kernel.
        bias: whether the convolution has a bias.

    Raises:
        ValueError: if the scale is not positive.

    Example:
        >>> import torch
        >>> PixelShuffleHead(16, scale=2)(torch.zeros(1, 16, 5, 7), torch.zeros(1, 3, 5, 7)).shape
        torch.Size([1, 3, 10, 14])
    """

    def __init__(self, width: int, image_channels: int = 3, *, scale: int = 2, kernel_size: int = 3, bias: bool = False) -> None:
        super().__init__()
        if scale < 1:
            raise ValueError(f"scale must be at least 1; got {scale}")
        self.scale = scale
        self.to_image = conv(width, scale * scale * image_channels, kernel_size, bias=bias)

    def forward(
        self, x: Float[Tensor, "n c h w"], image: Float[Tensor, "n in_channels h w"]
    ) -> Float[Tensor, "n image_channels h_scaled w_scaled"]:
        """Return the restored image (not clamped)."""
        return F.pixel_shuffle(self.to_image(x), self.scale)


@register_connector("image", role="head")
class ImageHead(nn.Module):
    """Restores an image without parameters: the features are the residual, and are added to the image.

    Args:
        width: channels of the features; those of the image.
        image_channels: channels of the restored image.
        residual: whether to add the image; otherwise the features are the restored image themselves.

    Raises:
        ValueError: if the features do not have the channels of the image.
    """

    def __init__(self, width: int, image_channels: int = 3, *, residual: bool = True) -> None:
        super().__init__()
        if width != image_channels:
            raise ValueError(f"features of {width} channels cannot be an image of {image_channels}; choose 'residual_head' instead")
        self.residual = residual

    def forward(self, x: Float[Tensor, "n c h w"], image: Float[Tensor, "n in_channels h w"]) -> Float[Tensor, "n c h w"]:
        """Return the restored image (not clamped)."""
        return x + image if self.residual else x


def add_image(
    residual: Float[Tensor, "n c h w"], image: Float[Tensor, "n in_channels h w"], of: Sequence[int] | None = None
) -> Float[Tensor, "n c h w"]:
    """Return a residual plus an image.

    Args:
        residual: predicted residual.
        image: degraded image, possibly with other channels.
        of: which channels to add; by default all, none if empty.
    """
    if of is None:
        return residual + image
    return residual + image[:, list(of)] if len(of) else residual
