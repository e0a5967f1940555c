"""What overwrites features gives what the plain operation gives, and leaves alone what the caller still needs."""

import pytest
import torch
from torch import Tensor, nn

from restorekit.inference.passes._reuse import activate, add, add_scaled


@pytest.fixture
def tensors() -> tuple[Tensor, Tensor, Tensor]:
    return torch.randn(2, 3, 4, 5), torch.randn(2, 3, 4, 5), torch.rand(2, 3, 1, 1)


@pytest.mark.parametrize("grad", [True, False])
def test_sums_are_those_of_fresh_buffers(grad: bool, tensors: tuple[Tensor, Tensor, Tensor]) -> None:
    x, branch, scale = tensors
    expected, kept = x + branch * scale, x.clone()
    with torch.set_grad_enabled(grad):
        torch.testing.assert_close(add_scaled(x, branch.clone(), scale), expected)
        torch.testing.assert_close(add(x, branch * scale), expected)
        own = branch.clone()
        assert (add(x, own) is own) is not grad
    assert torch.equal(x, kept)


@pytest.mark.parametrize("act", [nn.PReLU(), nn.PReLU(3), nn.GELU(), nn.LeakyReLU(0.2)])
@pytest.mark.parametrize("grad", [True, False])
def test_activations_are_those_of_the_module(act: nn.Module, grad: bool, tensors: tuple[Tensor, Tensor, Tensor]) -> None:
    x = tensors[0]
    with torch.set_grad_enabled(grad):
        torch.testing.assert_close(activate(act, x.clone()), act(x))


def test_other_dtypes_are_not_written_into(tensors: tuple[Tensor, Tensor, Tensor]) -> None:
    x, branch, _ = tensors
    half = branch.bfloat16()
    with torch.no_grad():
        assert add(x, half).dtype == torch.float32
        assert add_scaled(x.bfloat16(), branch, branch).dtype == torch.float32
