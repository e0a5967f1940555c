"""Restormer computes what the authors' code computes, and reads the checkpoints that it writes.

Targets and tolerances are as in test_parity.py, for weights that let every part count: norms have 1 and a bit, and the temperatures
of attention 4 and a bit.
"""

import functools
import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from _helpers import DATA
from _helpers.descriptors import SMALL_RESTORMER
from _helpers.parity import TOLERANCE, assert_same_state, original_state
from _helpers.parity_fill import fill, picture
from restorekit import WiringError, create_model, load_weights, restore
from restorekit.checkpoints import original_names, save_original_weights
from restorekit.models import list_models, model_from_checkpoint, pretrained_config
from restorekit.models._restormer import infer_arguments

NUM_PARAMETERS = {
    "restormer": 26_126_644,
    "restormer_derain": 26_126_644,
    "restormer_deblur": 26_126_644,
    "restormer_defocus": 26_126_644,
    "restormer_dual_pixel": 26_132_548,
    "restormer_denoise": 26_111_668,
    "restormer_gray": 26_109_076,
    "restormer_color": 26_111_668,
}
DEFAULTS = {
    "width": 48,
    "num_blocks": (4, 6, 6, 8),
    "refinement_blocks": 4,
    "heads": (1, 2, 4, 8),
    "expansion": 2.66,
    "bias": False,
    "norm_bias": True,
    "image_channels": 3,
    "output_channels": 3,
    "dual_pixel": False,
}
TARGETS = {
    "restormer_derain": DEFAULTS,
    "restormer_dual_pixel": DEFAULTS | {"image_channels": 6, "dual_pixel": True},
    "restormer_gray": DEFAULTS | {"norm_bias": False, "image_channels": 1, "output_channels": 1},
}
every_target = pytest.mark.parametrize("name", TARGETS)


@functools.cache
def original_shapes(name):
    """Return the original state dict's names and shapes."""
    return {key: tuple(shape) for key, shape in json.loads((DATA / f"{name}_keys.json").read_text())}


def offset(key):
    """Return what is added to a made-up parameter, so that no part has next to no influence."""
    return 4.0 if key.endswith("temperature") else float(key.endswith(("norm1.body.weight", "norm2.body.weight")))


@every_target
def test_outputs(name, device):
    original = {key: torch.from_numpy(fill(key, shape)) + offset(key) for key, shape in original_shapes(name).items()}
    model = load_weights(create_model(name), original).to(device).eval()
    expected = np.load(DATA / f"{name}_expected.npz")
    image = torch.from_numpy(picture(tuple(expected["shape"].tolist()), int(expected["seed"]))).to(device)
    wanted = torch.from_numpy(expected["result"]).double()
    for dtype, tolerance in TOLERANCE.items():
        with torch.no_grad():
            (output,) = model.to(dtype).forward_stages(image.to(dtype))
        torch.testing.assert_close(output.double().cpu(), wanted, rtol=0, atol=tolerance, msg=f"{dtype}")


@pytest.mark.parametrize("name", NUM_PARAMETERS)
def test_number_of_parameters(name):
    with torch.device("meta"):
        model = create_model(name)
    assert sum(p.numel() for p in model.parameters()) == NUM_PARAMETERS[name]
    assert model.size_multiple == 8


@every_target
def test_names_and_arguments_are_those_of_the_authors(name):
    with torch.device("meta"):
        state = original_state(create_model(name))
    assert {key: tuple(x.shape) for key, x in state.items()} == original_shapes(name)
    assert infer_arguments(state) == TARGETS[name]


ARGUMENTS = st.integers(2, 4).flatmap(
    lambda levels: st.fixed_dictionaries(
        {
            "width": st.sampled_from([4, 8, 12]),
            "num_blocks": st.tuples(*[st.integers(1, 2)] * levels),
            "refinement_blocks": st.integers(0, 2),
            "heads": st.tuples(*[st.sampled_from([1, 2, 4])] * levels),
            "expansion": st.sampled_from([0.5, 1.0, 2.0, 2.66, 3.14159]),
            "bias": st.booleans(),
            "norm_bias": st.booleans(),
        }
    )
)
CHANNELS = st.sampled_from(
    [
        {"image_channels": 1, "output_channels": 1, "dual_pixel": False},
        {"image_channels": 3, "output_channels": 3, "dual_pixel": False},
        {"image_channels": 6, "output_channels": 3, "dual_pixel": True},
        {"image_channels": 2, "output_channels": 1, "dual_pixel": True},
    ]
)


@given(arguments=ARGUMENTS, channels=CHANNELS)
def test_original_names_and_arguments_round_trip(arguments, channels):
    """Of a factor of expansion, only the widths that follow from it are known."""
    with torch.device("meta"):
        model = create_model("restormer", **arguments, **channels)
        state = original_state(model)
        inferred = infer_arguments(state)
        again = create_model("restormer", **inferred)
    assert inferred | {"expansion": arguments["expansion"]} == arguments | channels
    assert len(state) == len(model.state_dict())
    assert {name: x.shape for name, x in again.state_dict().items()} == {name: x.shape for name, x in model.state_dict().items()}
    assert model.size_multiple == 2 ** (len(arguments["num_blocks"]) - 1)


def test_another_networks_checkpoint_is_not_inferred():
    assert infer_arguments({"patch_embed.proj.weight": torch.zeros(8, 3, 3, 3)}) is None
    assert infer_arguments({"latent.0.attn.temperature": torch.ones(1, 1, 1)}) is None


def test_a_checkpoint_of_the_authors_becomes_a_model(tmp_path):
    model = create_model("restormer", **SMALL_RESTORMER, norm_bias=False)
    torch.save({"params": original_state(model)}, tmp_path / "net.pth")
    loaded, metadata = model_from_checkpoint(tmp_path / "net.pth")
    assert_same_state(loaded, model)
    assert metadata["architecture"] == "restormer"
    save_original_weights(loaded, tmp_path / "again.pth")
    assert_same_state(load_weights(create_model("restormer", **SMALL_RESTORMER, norm_bias=False), tmp_path / "again.pth"), model)


def test_a_pair_of_views_becomes_one_image():
    """No view is added: the features of the pair are, through a 1x1 convolution."""
    model = create_model("restormer_dual_pixel", **SMALL_RESTORMER).eval()
    views = torch.rand(6, 13, 18)
    assert restore(model, views).shape == (3, 13, 18)
    torch.nn.init.zeros_(model.heads[0].to_image.weight)
    assert not restore(model, views).any()
    assert original_names(model)["skip_conv"] == "stages.0.shortcuts.0"


@pytest.mark.parametrize("bias", [False, True])
def test_biases_are_everywhere_but_in_the_stem_and_in_resizing(bias):
    with torch.device("meta"):
        model = create_model("restormer_dual_pixel", **SMALL_RESTORMER, bias=bias)
    convs = [name for name in original_state(model) if name.endswith(".weight") and ".body.weight" not in name]
    with_bias = {name.removesuffix(".bias") for name in original_state(model) if name.endswith(".bias") and "norm" not in name}
    never = ("patch_embed", "down1_2", "up2_1")
    assert with_bias == {name.removesuffix(".weight") for name in convs if bias and not name.startswith(never)}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"num_blocks": (1,), "heads": (1,)}, r"at least two levels; got \(1,\) and \(1,\)"),
        ({"heads": (1, 2, 4)}, r"got \(4, 6, 6, 8\) and \(1, 2, 4\)"),
        ({"heads": (1, 2, 5, 8)}, "num_heads must divide the width; got 5 heads for width 192"),
        ({"width": 47, "heads": (1, 1, 1, 1)}, "47|94"),
    ],
)
def test_what_cannot_be_is_refused(arguments, words):
    with torch.device("meta"), pytest.raises(ValueError, match=words):
        create_model("restormer", **arguments)


def test_a_pair_of_views_is_not_added_to_one_image():
    with torch.device("meta"), pytest.raises(WiringError, match="channels"):
        create_model("restormer", **SMALL_RESTORMER, image_channels=6)


def test_weights_of_every_task_are_known():
    """All are for non-commercial use."""
    names = list_models("restormer*", pretrained=True)
    assert len(names) == 5 + 2 * 4
    assert not any(pretrained_config(name).licence.commercial_use for name in names)
    assert len({str(pretrained_config(name).sources[0].url) for name in names}) == len(names)
