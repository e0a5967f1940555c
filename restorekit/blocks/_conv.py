"""The convolution used by all parts."""

from torch import nn


def conv(in_width: int, out_width: int, kernel_size: int = 3, *, groups: int = 1, bias: bool = False) -> nn.Conv2d:
    """Return a convolution that keeps height and width.

    Args:
        in_width: input channels.
        out_width: output channels.
        kernel_size: side of the kernel in pixels, odd.
        groups: number of groups of channels, each convolved separately; one per channel makes the convolution depthwise.
        bias: whether to add a bias.

    Raises:
        ValueError: if a width is not positive, or the kernel size is even (the size could not be kept) or not positive.
    """
    if in_width < 1 or out_width < 1:
        raise ValueError(f"a convolution needs at least one input and one output channel; got {in_width} and {out_width}")
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(f"kernel_size must be odd and positive to keep the size; got {kernel_size}")
    return nn.Conv2d(in_width, out_width, kernel_size, padding=kernel_size // 2, groups=groups, bias=bias)
