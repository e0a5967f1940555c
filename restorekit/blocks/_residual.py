"""The plain residual block."""

from jaxtyping import Float
from torch import Tensor, nn

from restorekit.blocks._conv import conv
from restorekit.parts import ActivationLike, activation, register_block


@register_block("res")
class ResidualBlock(nn.Module):
    """Residual block: two convolutions with an activation between them, added to the input.

    x + conv2(act(conv1(x))), without normalisation. Source: Lim et al., EDSR, CVPRW 2017, arXiv:1707.02921; used in Cho et al.,
    MIMO-UNet, ICCV 2021, arXiv:2108.05054. With ``rectified``, it is act(x + act(conv2(act(conv1(x))))), as in Ren et al., PReNet,
    CVPR 2019, arXiv:1901.09221.

    Args:
        width: channels of the features.
        kernel_size: side of the kernels.
        bias: whether the convolutions have biases.
        act: activation; a module is shared by all places.
        rectified: whether the activation also follows the second convolution and the sum.

    Example:
        >>> import torch
        >>> ResidualBlock(16)(torch.zeros(1, 16, 5, 7)).shape
        torch.Size([1, 16, 5, 7])
    """

    def __init__(
        self, width: int, *, kernel_size: int = 3, bias: bool = True, act: ActivationLike = "relu", rectified: bool = False
    ) -> None:
        super().__init__()
        self.conv1 = conv(width, width, kernel_size, bias=bias)
        self.act = activation(act)
        self.conv2 = conv(width, width, kernel_size, bias=bias)
        self.rectified = rectified

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return refined features."""
        residual = self.conv2(self.act(self.conv1(x)))
        return self.act(x + self.act(residual)) if self.rectified else x + residual
