"""Supervision between stages: connectors that restore an image, and pass features on."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from restorekit.blocks._conv import conv
from restorekit.blocks._head import ImageHead, add_image
from restorekit.parts import HeadLike, factory, register_connector


@register_connector("sam", role="supervise")
class SupervisedAttentionModule(nn.Module):
    """Supervised attention module (SAM): restores an image, and uses it to select the features for the next stage.

    restored = conv(x) + image; attended = x + conv(x) * sigmoid(conv(restored)).
    Source: Zamir et al., CVPR 2021, arXiv:2102.02808, section 3.3, figure 4. The paper's is limited to three image channels.

    Args:
        width: channels of the features.
        image_channels: channels of the restored image.
        kernel_size: side of the kernels.
        bias: whether the convolutions have biases.
        of: which input channels are the image that is added; by default all, none if empty.

    Example:
        >>> attended, restored = SupervisedAttentionModule(16)(torch.zeros(1, 16, 5, 7), torch.zeros(1, 3, 5, 7))
        >>> attended.shape, restored.shape
        (torch.Size([1, 16, 5, 7]), torch.Size([1, 3, 5, 7]))
    """

    def __init__(
        self,
        width: int,
        image_channels: int = 3,
        *,
        kernel_size: int = 1,
        bias: bool = False,
        of: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.of = of
        self.features = conv(width, width, kernel_size, bias=bias)
        self.to_image = conv(width, image_channels, kernel_size, bias=bias)
        self.attention = conv(image_channels, width, kernel_size, bias=bias)

    def forward(
        self, x: Float[Tensor, "n c h w"], image: Float[Tensor, "n in_channels h w"]
    ) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, "n image_channels h w"]]:
        """Return the attended features and the restored image (not clamped)."""
        restored = add_image(self.to_image(x), image, self.of)
        attended = x + self.features(x) * self.attention(restored).sigmoid()
        return attended, restored


@register_connector("plain", role="supervise")
class PlainSupervision(nn.Module):
    """Restores an image between two stages, and passes on all features: supervision without attention.

    Source: the ablation of Zamir et al., CVPR 2021, arXiv:2102.02808, table 5 (no SAM).

    Args:
        width: channels of the features.
        image_channels: channels of the restored image.
        kernel_size: side of the kernel.
        bias: whether the convolution has a bias.
        of: which input channels are the image that is added; by default all, none if empty.
    """

    def __init__(
        self,
        width: int,
        image_channels: int = 3,
        *,
        kernel_size: int = 1,
        bias: bool = False,
        of: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.of = of
        self.to_image = conv(width, image_channels, kernel_size, bias=bias)

    def forward(
        self, x: Float[Tensor, "n c h w"], image: Float[Tensor, "n in_channels h w"]
    ) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, "n image_channels h w"]]:
        """Return the unchanged features and the restored image (not clamped)."""
        return x, add_image(self.to_image(x), image, self.of)


@register_connector("head", role="supervise")
class HeadSupervision(nn.Module):
    """Restores an image between two stages with any head, and passes on all features.

    With the head ``"pixel_shuffle"``, it supervises a stage of a network that enlarges images.

    Args:
        width: channels of the features.
        image_channels: channels of the restored image.
        head: makes the head.
    """

    def __init__(self, width: int, image_channels: int = 3, *, head: HeadLike = "direct") -> None:
        super().__init__()
        self.head = factory("head", head)(width, image_channels)

    def forward(
        self, x: Float[Tensor, "n c h w"], image: Float[Tensor, "n in_channels h w"]
    ) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, "n image_channels h_out w_out"]]:
        """Return the unchanged features and the restored image (not clamped)."""
        return x, self.head(x, image)


@register_connector("feedback", role="supervise")
class FeedbackSupervision(nn.Module):
    """Adds the features, which are a residual, to the image, and passes on the restored image in place of features.

    The next stage then starts from the image and the restored one, as in Ren et al., PReNet, CVPR 2019, arXiv:1901.09221.

    Args:
        width: channels of the features; those of the image.
        image_channels: channels of the restored image.
        residual: whether to add the image; otherwise the features are the restored image themselves.

    Raises:
        ValueError: if the features do not have the channels of the image.
    """

    def __init__(self, width: int, image_channels: int = 3, *, residual: bool = True) -> None:
        super().__init__()
        self.head = ImageHead(width, image_channels, residual=residual)

    def forward(
        self, x: Float[Tensor, "n c h w"], image: Float[Tensor, "n c h w"]
    ) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, "n c h w"]]:
        """Return the restored image (not clamped) twice: for the next stage, and to be supervised."""
        restored = self.head(x, image)
        return restored, restored


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
