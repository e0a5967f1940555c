"""Functions with custom gradients give what PyTorch's give, however often and whichever way they are differentiated."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from restorekit.inference.passes._gradients import global_mean, prelu

SHAPES = [(2, 3, 4, 5), (1, 1, 1, 1), (3, 2, 1, 7)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning")
def test_derivatives_are_right(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    slope = torch.tensor([0.25], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(prelu, (x, slope), check_forward_ad=True)
    assert torch.autograd.gradgradcheck(prelu, (x, slope))
    assert torch.autograd.gradcheck(global_mean, x, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(global_mean, x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_values_and_gradients_are_those_of_pytorch(dtype: torch.dtype, memory_format: torch.memory_format) -> None:
    x = torch.randn(2, 8, 16, 12, dtype=dtype).contiguous(memory_format=memory_format)
    x[:, :, 0] = 0  # where the slope changes
    slope = torch.tensor([-0.3])

    def gradients(function: Callable[[Tensor, Tensor], Tensor]) -> tuple[Tensor, ...]:
        leaves = x.clone().requires_grad_(), slope.clone().requires_grad_()
        y = function(*leaves)
        weights = torch.linspace(-1, 1, y.numel()).reshape(y.shape).to(y)
        return y.detach(), *torch.autograd.grad(y, leaves, weights, materialize_grads=True)

    tolerances = {"rtol": 2e-2, "atol": 2e-2} if dtype == torch.bfloat16 else {"rtol": 1e-5, "atol": 1e-5}
    for ours, plain in [
        (prelu, lambda x, slope: F.prelu(x, slope.to(x.dtype))),
        (lambda x, _: global_mean(x), lambda x, _: x.float().mean((2, 3), keepdim=True).to(x.dtype)),
    ]:
        for got, expected in zip(gradients(ours), gradients(plain), strict=True):
            assert got.dtype == expected.dtype
            torch.testing.assert_close(got, expected, **tolerances)


@pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_a_traced_network_is_of_plain_operations() -> None:
    x = torch.randn(1, 2, 4, 5, requires_grad=True)
    traced = torch.jit.trace(lambda x: prelu(x, torch.tensor([0.25])) * global_mean(x), x)
    assert "PythonOp" not in str(traced.graph)


def test_function_transforms_see_through_them() -> None:
    x, slopes = torch.randn(3, 2, 4, 5, requires_grad=True), torch.tensor([[0.1], [0.2], [-0.5]])

    def loss(image: Tensor, slope: Tensor) -> Tensor:
        return (prelu(image[None], slope) * global_mean(image[None])).sum()

    found = torch.func.vmap(torch.func.grad(loss, argnums=(0, 1)))(x, slopes)
    for i, slope in enumerate(slopes):
        leaves = x[i].detach().requires_grad_(), slope.clone().requires_grad_()
        for got, expected in zip(found, torch.autograd.grad(loss(*leaves), leaves), strict=True):
            torch.testing.assert_close(got[i], expected)
