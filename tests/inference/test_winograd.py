"""Convolutions of fewer multiplications: the same numbers as those of the plain ones, and only where they are meant to be."""

import copy

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given
from torch import nn

import restorekit
from restorekit import _cpu
from restorekit.inference import prepare
from restorekit.inference.passes import WINOGRAD, WinogradConv2d
from restorekit.inference.passes import _winograd as winograd


@pytest.fixture(autouse=True)
def _on_a_processor_that_gains(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever machine the tests run on, networks are treated as on one where the transforms pay; in many strips."""
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: True)
    monkeypatch.setattr(_cpu, "capabilities", dict)
    monkeypatch.setattr(winograd, "STRIP", 2**14)


def plain(in_channels: int, out_channels: int) -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False).requires_grad_(False)


def networks() -> tuple[restorekit.RestorationNetwork, torch.Tensor]:
    torch.manual_seed(0)
    return restorekit.create_model("mprnet", width=80, unet_step=16, ors_step=16, num_blocks=1), torch.rand(1, 3, 64, 72)


def num_replaced(model: nn.Module) -> int:
    return sum(isinstance(module, WinogradConv2d) for module in model.modules())


@given(
    number=st.integers(1, 3),
    size=st.tuples(st.integers(1, 40), st.integers(1, 70)),
    channels=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    memory_format=st.sampled_from([torch.channels_last, torch.contiguous_format]),
)
def test_gives_what_the_plain_convolution_gives(number, size, channels, memory_format) -> None:
    conv = plain(*channels)
    x = torch.randn(number, channels[0], *size).to(memory_format=memory_format)
    with torch.no_grad():
        result = WinogradConv2d(conv)(x)
        exact = conv.double()(x.double())
    assert result.shape == exact.shape
    torch.testing.assert_close(result.double(), exact, atol=5e-5, rtol=0)


def test_keeps_non_finite_values_visible() -> None:
    x = torch.zeros(1, 4, 20, 20)
    x[0, 0, 10, 10] = torch.nan
    assert WinogradConv2d(plain(4, 4))(x)[0, 0, 10, 10].isnan()


def test_gradients_are_those_of_the_plain_convolution() -> None:
    conv, x = plain(4, 5), torch.randn(1, 4, 20, 24, requires_grad=True)
    (gradient,) = torch.autograd.grad(WinogradConv2d(conv)(x).square().sum(), x)
    (expected,) = torch.autograd.grad(conv(x).square().sum(), x)
    torch.testing.assert_close(gradient, expected, atol=0, rtol=0)


def test_a_prepared_network_gives_the_same_image_and_leaves_the_network_as_it_was() -> None:
    model, image = networks()
    before = copy.deepcopy(model)
    prepared = prepare(model, precision="float32")
    assert num_replaced(prepared) > 10
    assert num_replaced(model) == 0
    assert prepared.state_dict().keys() == model.state_dict().keys()
    torch.testing.assert_close(model.state_dict(), before.state_dict(), atol=0, rtol=0)
    with torch.no_grad():
        torch.testing.assert_close(prepared(image), model.eval()(image), atol=1e-5, rtol=0)


def test_restore_takes_it_for_a_network_and_for_a_prepared_one(monkeypatch: pytest.MonkeyPatch) -> None:
    model, image = networks()
    calls: list[int] = []
    forward = WinogradConv2d.forward
    monkeypatch.setattr(WinogradConv2d, "forward", lambda conv, x: (calls.append(1), forward(conv, x))[1])
    results = [restorekit.restore(network, image, precision="float32") for network in (model, prepare(model, precision="float32"))]
    assert len(calls) > 20
    assert num_replaced(model) == 0
    torch.testing.assert_close(*results, atol=0, rtol=0)


def test_a_prepared_network_still_runs_in_another_precision() -> None:
    model, image = networks()
    prepared = prepare(model, precision="float32")
    expected = restorekit.restore(model, image, precision="bfloat16")
    torch.testing.assert_close(restorekit.restore(prepared, image, precision="bfloat16"), expected, atol=0, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_precisions_are_left_as_they_are(dtype: torch.dtype) -> None:
    assert not WINOGRAD.gains(networks()[0].to(dtype))


def test_networks_on_other_processors_are_left_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    model = networks()[0]
    assert WINOGRAD.gains(model)
    monkeypatch.setattr(_cpu, "capabilities", lambda: {"amx_tile": True})
    assert not WINOGRAD.gains(model)
    monkeypatch.setattr(_cpu, "capabilities", dict)
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: False)
    assert not WINOGRAD.gains(model)


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(96, 96, 1),
        nn.Conv2d(96, 96, 5, padding=2, bias=False),
        nn.Conv2d(96, 96, 3, padding=1),
        nn.Conv2d(96, 96, 3, padding=1, bias=False, stride=2),
        nn.Conv2d(96, 96, 3, padding=2, bias=False, dilation=2),
        nn.Conv2d(96, 96, 3, padding=0, bias=False),
        nn.Conv2d(96, 96, 3, padding=1, bias=False, groups=2),
        nn.Conv2d(96, 96, 3, padding=1, bias=False, padding_mode="reflect"),
        nn.Conv2d(96, 64, 3, padding=1, bias=False),
        nn.Conv2d(48, 96, 3, padding=1, bias=False),
    ],
    ids=str,
)
def test_other_convolutions_are_left_as_they_are(conv: nn.Conv2d) -> None:
    network = nn.Sequential(nn.Conv2d(96, 96, 3, padding=1, bias=False), conv)
    WINOGRAD.run(network)
    assert [type(module) for module in network] == [WinogradConv2d, nn.Conv2d]


def test_networks_of_few_channels_are_not_copied_for_nothing() -> None:
    assert not WINOGRAD.gains(restorekit.create_model("mprnet_tiny"))
