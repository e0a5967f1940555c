"""Convolutions with half the multiplications, for inference in float32 on CPUs.

This is Winograd's minimal filtering F(4, 3), as in Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016,
along the rows of an image: four outputs of a filter with three taps take six multiplications instead of twelve. Along the columns
the filter is unchanged: PyTorch's grouped convolution, with 3 x 1 kernels, processes the transformed rows in memory.
"""

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from restorekit import _cpu
from restorekit.inference.passes._base import Pass, only_computes

OUTPUTS, POINTS = 4, 6  # pixels of a row that are computed together, and the products that they need
LEAST_CHANNELS = 80  # with fewer, the transforms take longer than they save in multiplications
LEAST_WIDTH = 16
STRIP = 2**21  # bytes of input per thread that are processed at a time, so that they stay in the cache

INPUT = torch.tensor(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ],
    dtype=torch.float32,
)
KERNEL = torch.tensor([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]], dtype=torch.float64) / 24
OUTPUT = torch.tensor([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]], dtype=torch.float32)


class WinogradConv2d(nn.Conv2d):
    """A 3 x 3 convolution without bias that keeps height and width.

    If a gradient is needed, and for anything but float32 on a CPU, it is the plain convolution.

    Args:
        conv: the plain convolution, whose weights it shares. They must not change afterwards.

    Shape:
        N x C x H x W to N x C' x H x W; the result is channels last in memory.
    """

    kernel: Tensor

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__(conv.in_channels, conv.out_channels, 3, padding=1, bias=False, device="meta")
        self.weight = conv.weight
        kernel = torch.einsum("pk,ocyk->pocy", KERNEL, conv.weight.detach().double()).flatten(0, 1)[..., None]
        self.register_buffer("kernel", kernel.float().contiguous(memory_format=torch.channels_last), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolved features."""
        number, channels, height, width = x.shape
        if width < LEAST_WIDTH or not self._can_be_transformed(x):
            return super().forward(x)
        tiles = -(-width // OUTPUTS)
        result = x.new_empty(number, height, tiles, OUTPUTS, self.out_channels)
        rows = min(height, max(1, STRIP * torch.get_num_threads() // (width * channels * x.element_size())))
        windows = x.new_zeros(rows + 2, tiles, POINTS, channels)
        points = torch.empty_like(windows)
        for image, restored in zip(x.permute(0, 2, 3, 1), result, strict=True):
            for top in range(0, height, rows):
                last = min(rows, height - top)
                _fill(windows[: last + 2], image, top - 1)
                _transform(INPUT, windows[: last + 2], points[: last + 2])
                products = F.conv2d(points[: last + 2].flatten(2)[None].permute(0, 3, 1, 2), self.kernel, groups=POINTS)
                products = products.permute(0, 2, 3, 1).reshape(last, tiles, POINTS, self.out_channels)
                _transform(OUTPUT, products, restored[top : top + last])
        return result.flatten(2, 3)[:, :, :width].permute(0, 3, 1, 2)

    def _can_be_transformed(self, x: Tensor) -> bool:
        return only_computes(x) and x.device.type == "cpu" and x.dtype == self.kernel.dtype == torch.float32


def _fill(windows: Tensor, image: Tensor, top: int) -> None:
    """Copy the overlapping windows of rows (rows x tiles x points x channels) from an image (H x W x C), zero outside it."""
    height, width = image.shape[:2]
    above, below = max(0, -top), max(0, top + len(windows) - height)
    windows[:above], windows[len(windows) - below :] = 0, 0
    inside, rows = windows[above : len(windows) - below], image[top + above : top + len(windows) - below]
    tiles = windows.shape[1]
    left = OUTPUTS * (tiles - 1) - 1  # column where the last window begins; only this window extends beyond the right border
    inside[:, 0, 1:] = rows[:, : POINTS - 1]
    inside[:, 1:-1] = rows[:, OUTPUTS - 1 :].unfold(1, POINTS, OUTPUTS)[:, : tiles - 2].transpose(2, 3)
    inside[:, -1, : width - left] = rows[:, left:]


def _transform(matrix: Tensor, values: Tensor, result: Tensor) -> None:
    """Multiply values (rows x tiles x points x channels) by a matrix over the points."""
    values, result = (tensor.view(-1, *tensor.shape[2:]) for tensor in (values, result))
    torch.bmm(matrix.expand(len(values), *matrix.shape), values, out=result)


def _applies_to(module: nn.Module) -> bool:
    """Return whether a module is a convolution that is faster this way.

    There are none on CPUs with AMX, which multiply so fast that the transforms do not pay off, nor if PyTorch is built without MKL,
    since the transforms consist of many small matrix products.
    """
    if not torch.backends.mkl.is_available() or _cpu.capabilities().get("amx_tile"):
        return False
    return type(module) is nn.Conv2d and _gains(module)


def _gains(conv: nn.Conv2d) -> bool:
    if conv.weight.dtype != torch.float32 or conv.weight.device.type != "cpu" or min(conv.weight.shape[:2]) < LEAST_CHANNELS:
        return False
    shape: tuple[Any, ...] = conv.kernel_size, conv.stride, conv.padding, conv.dilation, conv.groups, conv.padding_mode, conv.bias
    return shape == ((3, 3), (1, 1), (1, 1), (1, 1), 1, "zeros", None)


WINOGRAD = Pass(_applies_to, lambda conv: WinogradConv2d(cast(nn.Conv2d, conv)))
"""Computes wide 3 x 3 convolutions with half the multiplications, in float32 on a CPU."""
