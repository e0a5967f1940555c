"""How a stage begins: features of the image, joined with those that the previous stage selected."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from restorekit.blocks._conv import conv
from restorekit.parts import ActivationLike, BlockLike, activation, factory, register_connector

register_connector("conv", role="stem")(conv)


@register_connector("conv_block", role="stem")
def conv_block(
    image_channels: int, width: int, *, block: BlockLike = "cab", kernel_size: int = 3, bias: bool = False
) -> nn.Sequential:
    """Return a stem: a convolution, then a block.

    Source: Zamir et al., CVPR 2021, arXiv:2102.02808, section 3 ("shallow features").

    Args:
        image_channels: channels of the image.
        width: channels of the features.
        block: makes the block.
        kernel_size: side of the convolution's kernel.
        bias: whether the convolution has a bias.
    """
    return nn.Sequential(conv(image_channels, width, kernel_size, bias=bias), factory("block", block)(width))


@register_connector("conv_act", role="stem")
def conv_act(
    image_channels: int, width: int, *, kernel_size: int = 3, bias: bool = True, act: ActivationLike = "relu"
) -> nn.Sequential:
    """Return a stem: a convolution, then an activation.

    Source: Ren et al., PReNet, CVPR 2019, arXiv:1901.09221; Cho et al., MIMO-UNet, ICCV 2021, arXiv:2108.05054.

    Args:
        image_channels: channels of the image, or of other features.
        width: channels of the features.
        kernel_size: side of the kernel.
        bias: whether the convolution has a bias.
        act: the activation.
    """
    return nn.Sequential(conv(image_channels, width, kernel_size, bias=bias), activation(act))


@register_connector("concat", role="join")
class ConcatJoin(nn.Module):
    """Joins stem features and attended features: concatenation, then a convolution.

    Source: Zamir et al., CVPR 2021, arXiv:2102.02808, section 3; also HINet (arXiv:2105.06086), with a 1x1 kernel and a bias.

    Args:
        width: channels of each input.
        out_width: channels of the result.
        kernel_size: side of the kernel.
        bias: whether the convolution has a bias.
    """

    def __init__(self, width: int, out_width: int, *, kernel_size: int = 3, bias: bool = False) -> None:
        super().__init__()
        self.conv = conv(2 * width, out_width, kernel_size, bias=bias)

    def forward(self, x: Float[Tensor, "n c h w"], attended: Float[Tensor, "n c h w"]) -> Float[Tensor, "n out_width h w"]:
        """Return the inputs of the stage."""
        return self.conv(torch.cat((x, attended), dim=1))


@register_connector("add", role="join")
class AddJoin(nn.Module):
    """Joins stem features and attended features: their sum, then a convolution.

    Args:
        width: channels of each input.
        out_width: channels of the result.
        kernel_size: side of the kernel.
        bias: whether the convolution has a bias.
    """

    def __init__(self, width: int, out_width: int, *, kernel_size: int = 1, bias: bool = False) -> None:
        super().__init__()
        self.conv = conv(width, out_width, kernel_size, bias=bias)

    def forward(self, x: Float[Tensor, "n c h w"], attended: Float[Tensor, "n c h w"]) -> Float[Tensor, "n out_width h w"]:
        """Return the inputs of the stage."""
        return self.conv(x + attended)


@register_connector("repeat", role="stem")
class RepeatStem(nn.Module):
    """The image itself as features, repeated to the width: a stem without parameters.

    Args:
        image_channels: channels of the image.
        width: channels of the features, a multiple of those of the image.

    Raises:
        ValueError: if the width is not a multiple of the image's channels.
    """

    def __init__(self, image_channels: int, width: int) -> None:
        super().__init__()
        if width % image_channels:
            raise ValueError(f"an image of {image_channels} channels cannot be repeated to {width}; choose a multiple")
        self.times = width // image_channels

    def forward(self, image: Float[Tensor, "n image_channels h w"]) -> Float[Tensor, "n c h w"]:
        """Return the repeated image."""
        return image.repeat(1, self.times, 1, 1)


@register_connector("stack", role="join")
class StackJoin(nn.Module):
    """Joins stem features and attended features by concatenation alone: a join without parameters.

    With the stem ``"repeat"`` and the supervision ``"feedback"``, a stage gets the image and the one that was restored before, as
    in Ren et al., PReNet, CVPR 2019, arXiv:1901.09221.

    Args:
        width: channels of each input.
        out_width: channels of the result: twice as many.

    Raises:
        ValueError: if the result does not have twice the channels.
    """

    def __init__(self, width: int, out_width: int) -> None:
        super().__init__()
        if out_width != 2 * width:
            raise ValueError(
                f"two inputs of {width} channels give {2 * width}, but {out_width} are needed; choose 'concat' instead"
            )

    def forward(self, x: Float[Tensor, "n c h w"], attended: Float[Tensor, "n c h w"]) -> Float[Tensor, "n two_c h w"]:
        """Return the inputs of the stage."""
        return torch.cat((x, attended), dim=1)
