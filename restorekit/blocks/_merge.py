"""How the decoder of a U-Net merges the features of a skip with those from the coarser level."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from restorekit.blocks._conv import conv
from restorekit.blocks._pooling import GlobalMean
from restorekit.parts import ActivationLike, activation, register_connector


@register_connector("add", role="merge")
class AddMerge(nn.Module):
    """Adds the features.

    Args:
        width: channels of either input.
        out_width: channels of the result; the sum needs no parameters, so they are the same.

    Raises:
        ValueError: if the widths differ.
    """

    def __init__(self, width: int, out_width: int) -> None:
        super().__init__()
        if width != out_width:
            raise ValueError(f"features of {width} channels cannot be added to {out_width} channels; choose merge='concat'")

    def forward(self, skip: Float[Tensor, "n c h w"], risen: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return the sum."""
        return skip + risen


@register_connector("concat", role="merge")
class ConcatMerge(nn.Module):
    """Concatenates the features, those from the coarser level first; a convolution changes the width if it must change.

    Source: Zamir et al., Restormer, CVPR 2022, arXiv:2111.09881; Cho et al., MIMO-UNet, ICCV 2021, arXiv:2108.05054, with bias
    and ReLU.

    Args:
        width: channels of either input.
        out_width: channels of the result; with twice those of an input, there is no convolution.
        kernel_size: side of the kernel.
        bias: whether the convolution has a bias.
        act: activation after the convolution; none by default.
    """

    def __init__(
        self, width: int, out_width: int, *, kernel_size: int = 1, bias: bool = False, act: ActivationLike | None = None
    ) -> None:
        super().__init__()
        self.conv = nn.Identity() if out_width == 2 * width else conv(2 * width, out_width, kernel_size, bias=bias)
        self.act = nn.Identity() if act is None else activation(act)

    def forward(self, skip: Float[Tensor, "n c h w"], risen: Float[Tensor, "n c h w"]) -> Float[Tensor, "n out_width h w"]:
        """Return the merged features."""
        return self.act(self.conv(torch.cat((risen, skip), dim=1)))


@register_connector("skff", role="merge")
class SelectiveKernelMerge(nn.Module):
    """Selective kernel feature fusion (SKFF): a mean of the two features for each channel, with weights from both.

    mean over height and width of the sum - 1x1 convolution and activation - a 1x1 convolution for each of the two - softmax over
    the two. Source: Zamir et al., MIRNet, ECCV 2020, arXiv:2003.06792.

    Args:
        width: channels of either input.
        out_width: channels of the result; the mean keeps them, so they are the same.
        reduction: how many times fewer channels the weights are computed from; they are at least 4.

    Raises:
        ValueError: if the widths differ, or the reduction is less than 1.
    """

    def __init__(self, width: int, out_width: int, *, reduction: int = 8) -> None:
        super().__init__()
        if width != out_width:
            raise ValueError(f"a mean of {width} channels cannot have {out_width} channels; choose merge='concat'")
        if reduction < 1:
            raise ValueError(f"reduction must be at least 1; got {reduction}")
        squeezed = max(width // reduction, 4)
        self.mean = GlobalMean()
        self.squeeze = conv(width, squeezed, 1)
        self.act = nn.LeakyReLU(0.2)
        self.select = nn.ModuleList(conv(squeezed, width, 1) for _ in range(2))

    def forward(self, skip: Float[Tensor, "n c h w"], risen: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return the weighted mean."""
        squeezed = self.act(self.squeeze(self.mean(skip + risen)))
        of_skip, of_risen = torch.stack([select(squeezed) for select in self.select]).softmax(dim=0)
        return of_skip * skip + of_risen * risen
