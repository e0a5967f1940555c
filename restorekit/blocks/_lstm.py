"""A cell that remembers features from run to run."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from restorekit.blocks._conv import conv


class ConvLSTM(nn.Module):
    """Convolutional LSTM: features and the state of the last run become the state of this run.

    With u = [x, hidden], cell' = sigmoid(forget(u)) * cell + sigmoid(input(u)) * tanh(candidate(u)), and
    hidden' = sigmoid(output(u)) * tanh(cell'). Source: Shi et al., NeurIPS 2015, arXiv:1506.04214, without its peepholes, as in Ren
    et al., PReNet, CVPR 2019, arXiv:1901.09221.

    Args:
        width: channels of the features, and of both parts of the state.
        kernel_size: side of the kernels.

    Example:
        >>> x = torch.zeros(1, 16, 5, 7)
        >>> hidden, cell = ConvLSTM(16)(x, x, x)
        >>> hidden.shape, cell.shape
        (torch.Size([1, 16, 5, 7]), torch.Size([1, 16, 5, 7]))
    """

    def __init__(self, width: int, *, kernel_size: int = 3) -> None:
        super().__init__()
        self.input_gate = conv(2 * width, width, kernel_size, bias=True)
        self.forget_gate = conv(2 * width, width, kernel_size, bias=True)
        self.candidate = conv(2 * width, width, kernel_size, bias=True)
        self.output_gate = conv(2 * width, width, kernel_size, bias=True)

    def forward(
        self, x: Float[Tensor, "n c h w"], hidden: Float[Tensor, "n c h w"], cell: Float[Tensor, "n c h w"]
    ) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, "n c h w"]]:
        """Return the new state: hidden features, which are also the result, and the cell."""
        both = torch.cat((x, hidden), dim=1)
        cell = self.forget_gate(both).sigmoid() * cell + self.input_gate(both).sigmoid() * self.candidate(both).tanh()
        return self.output_gate(both).sigmoid() * cell.tanh(), cell
