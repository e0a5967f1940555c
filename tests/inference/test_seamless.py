"""Networks on patches leave a line where patches meet; seamless ones do not."""

import numpy as np
import pytest
import torch
from torch import nn

from _helpers.descriptors import SMALL_HINET, SMALL_MPRNET
from restorekit import create_model, restore
from restorekit.inference import local_pooling, prepare, seamless
from restorekit.inference.passes import LocalMean
from restorekit.ops import WHOLE
from restorekit.stages import MultiStage

HEIGHT, WIDTH = 96, 128
PICTURES = {
    "flat": np.full((HEIGHT, WIDTH), 128.0),
    "ramp": np.linspace(60, 200, WIDTH)[None].repeat(HEIGHT, axis=0),
    "diagonal ramp": np.add.outer(np.linspace(30, 100, HEIGHT), np.linspace(30, 100, WIDTH)),
}


def line(restored):
    """Return the largest step across a border of MPRNet's patches, in median steps between other rows or columns."""
    pixels = restored.astype(float)
    steps = [np.abs(np.diff(pixels, axis=axis)).mean(axis=(1 - axis, 2)) for axis in (0, 1)]
    return max(step[len(step) // 2] / np.median(step) for step in steps)


@pytest.mark.parametrize("picture", PICTURES)
def test_there_is_no_line_across_flat_pictures(picture):
    noise = np.random.default_rng(0).normal(0, 25, (HEIGHT, WIDTH, 3))
    noisy = (PICTURES[picture][..., None] + noise).clip(0, 255).round().astype(np.uint8)
    model = create_model("mprnet_tiny", pretrained="denoise")
    assert line(restore(model, noisy)) > 1.3
    assert line(restore(seamless(model), noisy)) <= 1.3


def test_a_seamless_network_is_one_that_was_built_on_whole_images():
    published = create_model("mprnet", **SMALL_MPRNET).eval()
    before = {name: tensor.clone() for name, tensor in published.state_dict().items()}
    model = seamless(published)
    assert (published.grids[0], published.size_multiple) == ((2, 2), 8)
    assert (set(model.grids), model.size_multiple) == ({WHOLE}, 4)
    assert model.state_dict().keys() == before.keys()
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    image = torch.rand(1, 3, 12, 20)
    whole = MultiStage(list(published.stages))
    assert whole.size_multiple == 4
    for name in ("stems", "joins", "supervisors", "fusions", "heads"):
        setattr(whole, name, getattr(published, name))
    with torch.no_grad():
        assert torch.equal(model(image), whole(image))
        with pytest.raises(ValueError, match="multiples of 8"):
            published(image)


def test_its_config_tells_of_it():
    config = seamless(create_model("mprnet", **SMALL_MPRNET)).config
    assert config["grids"] == [[1, 1]] * 3


def test_a_network_without_patches_stays_as_it_is():
    model = create_model("hinet", **SMALL_HINET).eval()
    image = torch.rand(1, 3, model.size_multiple, 2 * model.size_multiple)
    with torch.no_grad():
        assert torch.equal(seamless(model)(image), model(image))


def test_windows_of_local_pooling_are_those_of_patches():
    model = seamless(local_pooling(create_model("mprnet", **SMALL_MPRNET), train_size=64))
    block = model.get_submodule("stages.0.encoders.0")[0]
    assert isinstance(block, nn.Module)
    assert isinstance(block.attention.mean, LocalMean)
    assert block.attention.mean.window == (48, 48)


def test_prepared_networks_stay_seamless():
    model = seamless(create_model("mprnet", **SMALL_MPRNET).eval())
    image = torch.rand(1, 3, 16, 24)
    with torch.no_grad():
        torch.testing.assert_close(prepare(model, precision="float32")(image), model(image))


def test_as_an_option():
    model = create_model("mprnet", **SMALL_MPRNET).eval()
    image = torch.rand(1, 3, 32, 40)
    expected = restore(seamless(model), image)
    assert torch.equal(restore(model, image, patches="seamless"), expected)
    assert not torch.equal(restore(model, image), expected)
