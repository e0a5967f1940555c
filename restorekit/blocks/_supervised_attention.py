"""Supervision between stages, and the head after the last one."""

from jaxtyping import Float
from torch import Tensor, nn

from restorekit.blocks._conv import conv
from restorekit.parts import register_connector


@register_connector("sam", role="supervise")
class SupervisedAttentionModule(nn.Module):
    """Supervised attention module (SAM): restores an image, and uses it to select the features for the next stage.

    restored = conv(x) + image; attended = x + conv(x) * sigmoid(conv(restored)).
    Source: Zamir et al., CVPR 2021, arXiv:2102.02808, section 3.3, figure 4. The paper's is limited to three image channels.

    Args:
        width: channels of the features.
        image_channels: channels of the image.
        kernel_size: side of the kernels.
        bias: whether the convolutions have biases.

    Example:
        >>> attended, restored = SupervisedAttentionModule(16)(torch.zeros(1, 16, 5, 7), torch.zeros(1, 3, 5, 7))
        >>> attended.shape, restored.shape
        (torch.Size([1, 16, 5, 7]), torch.Size([1, 3, 5, 7]))
    """

    def __init__(self, width: int, image_channels: int = 3, *, kernel_size: int = 1, bias: bool = False) -> None:
        super().__init__()
        self.features = conv(width, width, kernel_size, bias=bias)
        self.to_image = conv(width, image_channels, kernel_size, bias=bias)
        self.attention = conv(image_channels, width, kernel_size, bias=bias)

    def forward(
        self, x: Float[Tensor, "n c h w"], image: Float[Tensor, "n image_channels h w"]
    ) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, "n image_channels h w"]]:
        """Return the attended features and the restored image (not clamped)."""
        restored = self.to_image(x) + image
        attended = x + self.features(x) * self.attention(restored).sigmoid()
        return attended, restored


@register_connector("plain", role="supervise")
class PlainSupervision(nn.Module):
    """Restores an image between two stages, and passes on all features: supervision without attention.

    Source: the ablation of Zamir et al., CVPR 2021, arXiv:2102.02808, table 5 (no SAM).

    Args:
        width: channels of the features.
        image_channels: channels of the image.
        kernel_size: side of the kernel.
        bias: whether the convolution has a bias.
    """

    def __init__(self, width: int, image_channels: int = 3, *, kernel_size: int = 1, bias: bool = False) -> None:
        super().__init__()
        self.to_image = conv(width, image_channels, kernel_size, bias=bias)

    def forward(
        self, x: Float[Tensor, "n c h w"], image: Float[Tensor, "n image_channels h w"]
    ) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, "n image_channels h w"]]:
        """Return the unchanged features and the restored image (not clamped)."""
        return x, self.to_image(x) + image


@register_connector("none", role="supervise")
class NoSupervision(nn.Module):
    """Passes all features to the next stage and restores no image: the previous stage is not supervised.

    Args:
        width: channels of the features.
        image_channels: channels of the image.
    """

    def __init__(self, width: int, image_channels: int = 3) -> None:
        super().__init__()

    def forward(self, x: Float[Tensor, "n c h w"], image: Float[Tensor, "n image_channels h w"]) -> tuple[Tensor, None]:
        """Return the unchanged features, and no image."""
        return x, None


@register_connector("residual_head", role="head")
class ResidualHead(nn.Module):
    """Restores an image: a convolution of the features is added to the degraded image.

    Source: Zamir et al., CVPR 2021, arXiv:2102.02808, section 3: every stage predicts a residual.

    Args:
        width: channels of the features.
        image_channels: channels of the image.
        kernel_size: side of the kernel.
        bias: whether the convolution has a bias.
    """

    def __init__(self, width: int, image_channels: int = 3, *, kernel_size: int = 3, bias: bool = False) -> None:
        super().__init__()
        self.to_image = conv(width, image_channels, kernel_size, bias=bias)

    def forward(
        self, x: Float[Tensor, "n c h w"], image: Float[Tensor, "n image_channels h w"]
    ) -> Float[Tensor, "n image_channels h w"]:
        """Return the restored image (not clamped)."""
        return self.to_image(x) + image
