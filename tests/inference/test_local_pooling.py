"""Local pooling computes what a plain loop over windows does, and what the authors' code computes."""

import itertools
import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from _helpers import DATA
from _helpers.descriptors import MODELS, SMALL_MPRNET
from _helpers.marks import nightly
from _helpers.parity_fill import fill, picture
from restorekit import create_model, load_weights, restore
from restorekit.blocks import ChannelAttention, ChannelAttentionBlock, HalfInstanceNorm, SimplifiedChannelAttention
from restorekit.inference import local_pooling
from restorekit.inference.passes import LocalMean, LocalNormalisation
from restorekit.stages import MultiStage, UNetStage


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), nightly(torch.float64, 2e-7)])
def test_parity_with_the_authors(dtype, tolerance):
    """The tolerances are those of test_parity.py: sums of some hundred layers in another order."""
    names = json.loads((DATA / "mprnet_derain_keys.json").read_text())
    original = {name: torch.from_numpy(fill(name, tuple(shape))) for name, shape in names}
    expected = np.load(DATA / "tlc_derain_expected.npz")
    model = load_weights(create_model("mprnet_derain"), original).eval()
    local = local_pooling(model, int(expected["train_size"]))
    image = torch.from_numpy(picture(tuple(expected["shape"].tolist()), int(expected["seed"])))
    wanted = torch.from_numpy(expected["stage3"]).double()
    with torch.no_grad():
        result = local.to(dtype)(image.to(dtype)).double()
    torch.testing.assert_close(result, wanted, rtol=0, atol=tolerance)


def test_windows_follow_from_grids_and_strides():
    local = local_pooling(create_model("mprnet", **SMALL_MPRNET), train_size=256)
    wanted = {
        "stages.0.encoders": [(192, 192), (96, 96), (48, 48)],
        "stages.0.decoders": [(192, 384), (96, 192), (48, 96)],
        "stages.1.encoders": [(192, 384), (96, 192), (48, 96)],
        "stages.1.decoders": [(384, 384), (192, 192), (96, 96)],
        "stages.2.orbs": [(384, 384)] * 3,
    }
    for name, windows in wanted.items():
        for level, window in zip(local.get_submodule(name), windows, strict=True):
            assert {module.window for module in level.modules() if isinstance(module, LocalMean)} == {window}


def naive_regions(window, x):
    """Return the window that counts at each pixel, by row and column."""
    height, width = x.shape[-2:]
    sides = [min(k, side) for k, side in zip(window, (height, width), strict=True)]
    for row, column in itertools.product(range(height), range(width)):
        # the window's corner, if it were centred (left and top when it is even), pushed into the features
        top, left = (
            min(max(at - (k - 1) // 2, 0), side - k) for at, k, side in zip((row, column), sides, (height, width), strict=True)
        )
        yield row, column, x[..., top : top + sides[0], left : left + sides[1]]


class NaiveMean(nn.Module):
    def __init__(self, window):
        super().__init__()
        self.window = window

    def forward(self, x):
        means = torch.empty_like(x)
        for row, column, region in naive_regions(self.window, x):
            means[..., row, column] = region.mean(dim=(2, 3))
        return means


class NaiveNormalisation(NaiveMean):
    def forward(self, x):
        normalised = torch.empty_like(x)
        for row, column, region in naive_regions(self.window, x):
            variance, mean = torch.var_mean(region, dim=(2, 3), correction=0)
            normalised[..., row, column] = (x[..., row, column] - mean) / (variance + 1e-5).sqrt()
        return normalised


NAIVE = {LocalMean: NaiveMean, LocalNormalisation: NaiveNormalisation}


def exchange(model, table):
    for name, module in list(model.named_modules()):
        if type(module) in table:
            parent, _, attribute = name.rpartition(".")
            setattr(model.get_submodule(parent), attribute, table[type(module)](module.window))
            vars(model.get_submodule(parent)).pop("scale", None)  # by the means at each pixel, not those of windows
    return model


@pytest.mark.parametrize("window", [(1, 1), (2, 3), (4, 4), (3, 20), (20, 5), (7, 8)])
@pytest.mark.parametrize("local", NAIVE)
def test_windows_are_those_of_a_loop(local, window):
    x = 3 + torch.randn(2, 3, 7, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(local(window)(x), NAIVE[local](window)(x), rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ["mprnet", "hinet", "nafnet"])
def test_networks_are_those_of_a_loop(name, device):
    torch.manual_seed(0)
    model = MODELS[name].make(name).double().to(device).eval()
    state = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    local = local_pooling(model, train_size=2 * model.size_multiple)
    image = torch.rand(2, 3, 4 * model.size_multiple, 5 * model.size_multiple, dtype=torch.float64, device=device)
    with torch.no_grad():
        result = local(image)
        assert not torch.allclose(result, model(image), atol=1e-5)
        assert model.state_dict().keys() == local.state_dict().keys()
        assert all(torch.equal(tensor, state[key]) for key, tensor in model.state_dict().items())
        torch.testing.assert_close(result, exchange(local, NAIVE)(image), rtol=0, atol=1e-7)


@pytest.mark.parametrize("name", ["mprnet", "hinet", "nafnet"])
def test_windows_that_cover_the_image_change_nothing(name):
    model = MODELS[name].make(name).eval()
    side = 4 * model.size_multiple
    local = local_pooling(model, train_size=side)
    image = torch.rand(1, 3, side, side + model.size_multiple)
    with torch.no_grad():
        assert torch.equal(local(image), model(image))


@given(size=st.tuples(st.integers(1, 70), st.integers(1, 70)), window=st.tuples(st.integers(1, 80), st.integers(1, 80)))
def test_means_are_those_of_all_windows_that_fit(size, window):
    x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    wanted = F.avg_pool2d(x, [min(sides) for sides in zip(size, window, strict=True)], stride=1)
    for features in (x, x.clone().requires_grad_()):  # memory is overwritten for the first only
        torch.testing.assert_close(LocalMean(window).fitting(features), wanted)


@pytest.mark.parametrize("part", [LocalMean((3, 5)), LocalNormalisation((3, 5))], ids=["mean", "normalisation"])
def test_gradients(part):
    x = torch.randn(1, 2, 5, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(part, x)
    with torch.no_grad():
        torch.testing.assert_close(part(x), part(x.detach()))


@pytest.mark.parametrize("part", [LocalMean((96, 96)), LocalNormalisation((96, 96))], ids=["mean", "normalisation"])
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_float32_is_accurate_over_long_sides(part, offset):
    x = offset + torch.randn(1, 2, 300, 1100, generator=torch.Generator().manual_seed(0))
    scale = max(offset, 1.0)
    torch.testing.assert_close(part(x).double(), part(x.double()), rtol=0, atol=3e-6 * scale)


def test_lower_precision_is_summed_in_float32():
    x = torch.rand(1, 2, 40, 2100, generator=torch.Generator().manual_seed(0)).to(torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):  # which returns float32 from some functions
        mean = LocalMean((40, 2000))(x)
    assert mean.dtype == torch.bfloat16
    torch.testing.assert_close(mean.double(), LocalMean((40, 2000))(x.double()), rtol=2**-8, atol=0)


@pytest.mark.parametrize(
    "part", [ChannelAttention(8), SimplifiedChannelAttention(8), HalfInstanceNorm(8)], ids=lambda p: type(p).__name__
)
def test_every_part_with_global_means_becomes_local(part):
    class Around(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.part = part

        def forward(self, x):
            return self.part(x)

    local = local_pooling(MultiStage([UNetStage((8,), Around, num_blocks=1)]), train_size=4)
    assert sum(isinstance(module, LocalMean | LocalNormalisation) for module in local.modules()) == 1  # which is shared


def test_restore_pools_locally():
    model = create_model("mprnet", **SMALL_MPRNET).eval()
    image = torch.rand(3, 16, 440)
    wanted = restore(local_pooling(model), image, precision="float32")
    assert torch.equal(restore(model, image, precision="float32", pooling="local"), wanted)
    assert not torch.equal(restore(model, image, precision="float32"), wanted)
    with pytest.raises(ValueError, match="pooling must be one of global, local; got 'max'"):
        restore(model, image, pooling="max")


@pytest.mark.parametrize("name", ["mprnet", "hinet", "nafnet"])
def test_memory_is_told_before(name):
    plans = []
    restore(MODELS[name].make(name), torch.rand(3, 16, 440), pooling="local", max_memory="1GB", on_plan=plans.append)
    (plan,) = plans
    assert 0 < plan.needed < plan.room


@pytest.mark.parametrize(
    ("network", "train_size", "words"),
    [
        (lambda: create_model("mprnet", **SMALL_MPRNET), 100, "train_size is 100; .* multiples of 8, such as 104"),
        (lambda: create_model("mprnet", **SMALL_MPRNET), 0, "such as 8"),
        (lambda: MultiStage([UNetStage((4, 6), "rdb")]), 64, "no means over the whole image; there is nothing to make local"),
        (lambda: MultiStage([UNetStage((4, 6), "restormer")]), 64, r"attention: MultiDconvHead.* cannot be made local"),
        (
            lambda: MultiStage([UNetStage((4, 6), lambda width: ChannelAttentionBlock(width, attention="eca"))]),
            64,
            r"stages.0.encoders.0.0: EcaModule uses the whole image",
        ),
    ],
)
def test_what_cannot_be_local_is_refused(network, train_size, words):
    with pytest.raises(ValueError, match=words):
        local_pooling(network(), train_size)


@pytest.mark.parametrize("layer", [lambda width: nn.Conv2d(width, width, 3, padding=1, padding_mode="reflect"), nn.InstanceNorm2d])
def test_networks_that_do_not_take_the_smallest_images(layer):
    model = MultiStage([UNetStage((4, 6), lambda width: nn.Sequential(layer(width), ChannelAttentionBlock(width)))])
    with pytest.raises((RuntimeError, ValueError)):
        model(torch.zeros(1, 3, model.size_multiple, model.size_multiple))
    local = local_pooling(model, train_size=64)
    encoders = local.get_submodule("stages.0.encoders")
    found = [{module.window for module in level.modules() if isinstance(module, LocalMean)} for level in encoders]
    assert found == [{(96, 96)}, {(48, 48)}]


def test_a_mean_that_meets_two_sizes_is_refused():
    shared = ChannelAttentionBlock(4)
    model = MultiStage([UNetStage((4, 4), lambda width: shared)])
    with pytest.raises(ValueError, match=r"attention\.mean is used at two sizes of features"):
        local_pooling(model, 64)
