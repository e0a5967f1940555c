"""Resizing of features by two, with a change of width."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from restorekit.blocks._conv import conv
from restorekit.parts import ActivationLike, activation, register_connector


@register_connector("bilinear", role="downsample")
class Downsample(nn.Module):
    """Halves height and width (bilinear), then changes the width with a 1x1 convolution without bias.

    Source: Zamir et al., CVPR 2021, arXiv:2102.02808, section 3.2. Bilinear resizing to half an even size is the mean of 2x2
    pixels, and is computed that way.

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


@register_connector("bilinear", role="upsample")
class Upsample(nn.Module):
    """Doubles height and width (bilinear) and changes the width with a 1x1 convolution without bias.

    Source: Zamir et al., CVPR 2021, arXiv:2102.02808, section 3.2. The published order is resizing first; the two operations
    commute, and the convolution costs a quarter on the small side.

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


@register_connector("strided_conv", role="downsample")
class StridedConv(nn.Module):
    """Halves height and width and changes the width with one convolution of stride 2.

    Source: Chen et al., HINet, CVPRW 2021, arXiv:2105.06086, with 4x4 kernels without biases; Chen et al., NAFNet,
    ECCV 2022, arXiv:2204.04676, with 2x2 kernels and biases; Cho et al., MIMO-UNet, ICCV 2021, arXiv:2108.05054, with 3x3
    kernels, biases and ReLU.

    Args:
        in_width: channels of the input.
        out_width: channels of the output.
        kernel_size: side of the kernel in pixels.
        bias: whether the convolution has a bias.
        act: activation after the convolution; none by default.

    Raises:
        ValueError: if the kernel size is not positive.

    Example:
        >>> StridedConv(16, 24)(torch.zeros(1, 16, 6, 8)).shape
        torch.Size([1, 24, 3, 4])
    """

    def __init__(
        self, in_width: int, out_width: int, *, kernel_size: int = 4, bias: bool = False, act: ActivationLike | None = None
    ) -> None:
        super().__init__()
        if kernel_size < 1:
            raise ValueError(f"kernel_size must be positive; got {kernel_size}")
        self.conv = nn.Conv2d(in_width, out_width, kernel_size, stride=2, padding=(kernel_size - 1) // 2, bias=bias)
        self.act = nn.Identity() if act is None else activation(act)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n out_width h_half w_half"]:
        """Return features of half the size; both sides must be even."""
        return self.act(self.conv(x))


@register_connector("transposed_conv", role="upsample")
class TransposedConv(nn.Module):
    """Doubles height and width and changes the width with one transposed convolution of stride 2.

    With 2x2 kernels, each pixel becomes 2x2 pixels, which no other pixel touches, as in Chen et al., HINet, CVPRW 2021,
    arXiv:2105.06086. Cho et al., MIMO-UNet, ICCV 2021, arXiv:2108.05054, has 4x4 kernels and ReLU.

    Args:
        in_width: channels of the input.
        out_width: channels of the output.
        kernel_size: side of the kernel in pixels, even.
        bias: whether the convolution has a bias.
        act: activation after the convolution; none by default.

    Raises:
        ValueError: if the kernel size is odd or not positive, so that the size would not double.

    Example:
        >>> TransposedConv(24, 16)(torch.zeros(1, 24, 3, 4)).shape
        torch.Size([1, 16, 6, 8])
    """

    def __init__(
        self, in_width: int, out_width: int, *, kernel_size: int = 2, bias: bool = True, act: ActivationLike | None = None
    ) -> None:
        super().__init__()
        if kernel_size < 2 or kernel_size % 2:
            raise ValueError(f"kernel_size must be even and positive to double the size; got {kernel_size}")
        padding = (kernel_size - 2) // 2
        self.conv = nn.ConvTranspose2d(in_width, out_width, kernel_size, stride=2, padding=padding, bias=bias)
        self.act = nn.Identity() if act is None else activation(act)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n out_width h_double w_double"]:
        """Return features of double the size."""
        return self.act(self.conv(x))


@register_connector("pixel_shuffle", role="upsample")
class PixelShuffle(nn.Module):
    """Doubles height and width and changes the width: a convolution to four times the width, then pixel shuffle.

    The values of the 2x2 pixels are the channels of one. Source: Shi et al., CVPR 2016, arXiv:1609.05158; with a 1x1
    convolution without bias as in Chen et al., NAFNet, ECCV 2022, arXiv:2204.04676, and with a 3x3 convolution in Zamir et al.,
    Restormer, CVPR 2022, arXiv:2111.09881.

    Args:
        in_width: channels of the input.
        out_width: channels of the output.
        kernel_size: side of the kernel in pixels.
        bias: whether the convolution has a bias.

    Example:
        >>> PixelShuffle(24, 16)(torch.zeros(1, 24, 3, 4)).shape
        torch.Size([1, 16, 6, 8])
    """

    def __init__(self, in_width: int, out_width: int, *, kernel_size: int = 1, bias: bool = False) -> None:
        super().__init__()
        self.conv = conv(in_width, 4 * out_width, kernel_size, bias=bias)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n out_width h_double w_double"]:
        """Return features of double the size."""
        return F.pixel_shuffle(self.conv(x), 2)


@register_connector("pixel_unshuffle", role="downsample")
class PixelUnshuffle(nn.Module):
    """Halves height and width and changes the width: a convolution to a quarter of the width, then pixel unshuffle.

    The channels of a pixel are the values of 2x2 pixels. Source: Zamir et al., Restormer, CVPR 2022, arXiv:2111.09881, with 3x3
    kernels without biases.

    Args:
        in_width: channels of the input.
        out_width: channels of the output, a multiple of 4.
        kernel_size: side of the kernel in pixels.
        bias: whether the convolution has a bias.

    Raises:
        ValueError: if 4 does not divide the width of the output.

    Example:
        >>> PixelUnshuffle(16, 32)(torch.zeros(1, 16, 6, 8)).shape
        torch.Size([1, 32, 3, 4])
    """

    def __init__(self, in_width: int, out_width: int, *, kernel_size: int = 3, bias: bool = False) -> None:
        super().__init__()
        if out_width % 4:
            raise ValueError(f"pixel_unshuffle gives multiples of 4 channels; got the width {out_width}")
        self.conv = conv(in_width, out_width // 4, kernel_size, bias=bias)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n out_width h_half w_half"]:
        """Return features of half the size; both sides must be even."""
        return F.pixel_unshuffle(self.conv(x), 2)


@register_connector("antialiased", role="downsample")
class RatioResize(nn.Module):
    """Resizes by any ratio, bilinear and antialiased, and changes the width with a 1x1 convolution with bias.

    Enlarging interpolates; shrinking filters with a triangle as wide as the ratio. The convolution runs at the smaller of the two
    sizes; in the published order it comes last, and the two operations commute.
    Source: Tu et al., CVPR 2022, arXiv:2201.02973, which converts all levels of an encoder to each other's size this way.

    Args:
        in_width: channels of the input.
        out_width: channels of the output.
        up: factor by which height and width grow.
        down: factor by which they shrink after that.

    Raises:
        ValueError: if a ratio is not positive, or both are greater than 1.

    Example:
        >>> RatioResize(16, 24)(torch.zeros(1, 16, 6, 8)).shape
        torch.Size([1, 24, 3, 4])
        >>> RatioResize(64, 16, up=4, down=1)(torch.zeros(1, 64, 3, 4)).shape
        torch.Size([1, 16, 12, 16])
    """

    def __init__(self, in_width: int, out_width: int, *, up: int = 1, down: int = 2) -> None:
        super().__init__()
        if min(up, down) != 1:
            raise ValueError(f"up and down must be positive, and one of them 1; got up={up}, down={down}")
        self.up, self.down = up, down
        self.conv = conv(in_width, out_width, 1, bias=True)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n out_width h_resized w_resized"]:
        """Return the resized features; ``down`` must divide both sides."""
        if self.up > 1:
            return F.interpolate(self.conv(x), scale_factor=float(self.up), mode="bilinear", align_corners=False)
        if self.down > 1:
            size = (x.shape[-2] // self.down, x.shape[-1] // self.down)
            wide = x if x.dtype == torch.float64 else x.float()  # the CPU has no such filter for half precision
            x = F.interpolate(wide, size=size, mode="bilinear", align_corners=False, antialias=True).to(x.dtype)
        return self.conv(x)
