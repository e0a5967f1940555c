"""Models compute what the authors' code computes, and read the checkpoints that it writes.

``data/*_keys.json`` lists the original state dicts: names and shapes, in order. ``data/*_expected.npz`` holds what the original
code makes, in float64, of weights and pictures that _helpers/parity_fill.py makes; it is stored as float32.
"""

import functools
import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from _helpers import DATA, HALF
from _helpers.marks import mostly_nightly
from _helpers.parity import TOLERANCE, assert_same_state, modules_of, original_state
from _helpers.parity_fill import fill, picture
from restorekit import _cpu, create_model, load_weights
from restorekit.checkpoints import original_names, originals
from restorekit.inference import prepare
from restorekit.losses import charbonnier

MPRNET = {"num_blocks": 8, "kernel_size": 3, "reduction": 4, "bias": False, "image_channels": 3}
PUBLISHED = {  # arguments of the networks that there are targets for
    "mprnet_deblur": {"width": 96, "unet_step": 48, "ors_step": 32} | MPRNET,
    "mprnet_denoise": {"width": 80, "unet_step": 48, "ors_step": 32} | MPRNET,
    "mprnet_derain": {"width": 40, "unet_step": 20, "ors_step": 16} | MPRNET,
    "hinet_half": {"width": 32, "depth": 5, "norm_levels": (0, 4), "image_channels": 3},
}

every_network = pytest.mark.parametrize("name", PUBLISHED)
every_architecture = pytest.mark.parametrize("architecture", ["mprnet", "hinet"])


@functools.cache
def original_shapes(name):
    """Return the original state dict's names and shapes."""
    return {key: tuple(shape) for key, shape in json.loads((DATA / f"{name}_keys.json").read_text())}


def empty_state(name):
    """Return an original state dict of tensors that have shapes alone."""
    return {key: torch.empty(shape, device="meta") for key, shape in original_shapes(name).items()}


def infer_arguments(architecture, state):
    return originals.get(architecture).infer_arguments(state)


@mostly_nightly("name", PUBLISHED, {"mprnet_derain", "hinet_half"})  # the others only have other widths
def test_outputs_of_every_stage(name, device, monkeypatch):
    """In float64 and float32, and as ``restore`` runs the network in float32."""
    model, image, stages = target(name)
    for dtype, tolerance in TOLERANCE.items():
        assert_close_stages(model.to(device, dtype), image.to(device, dtype), stages, tolerance)
    monkeypatch.setattr(_cpu, "capabilities", dict)  # of a processor on which prepared networks differ most from plain ones
    prepared = prepare(model.to("cpu", torch.float32), precision="float32")
    assert_close_stages(prepared, image, stages, TOLERANCE[torch.float32])


def target(name):
    """Return a network, an image, and what the original code makes of it in every stage."""
    original = {key: torch.from_numpy(fill(key, shape)) for key, shape in original_shapes(name).items()}
    expected = np.load(DATA / f"{name}_expected.npz")
    image = torch.from_numpy(picture(tuple(expected["shape"].tolist()), int(expected["seed"])))
    stages = [torch.from_numpy(expected[f"stage{i + 1}"]).double() for i in range(sum(key.startswith("stage") for key in expected))]
    return load_weights(create_model(name), original).eval(), image, stages


def assert_close_stages(model, image, stages, tolerance):
    with torch.no_grad():
        outputs = model.forward_stages(image)
    for i, (output, wanted) in enumerate(zip(outputs, stages, strict=True)):
        torch.testing.assert_close(output.double().cpu(), wanted, rtol=0, atol=tolerance, msg=f"stage {i + 1}, {output.dtype}")


@every_network
def test_name_table_is_exact_both_ways(name):
    with torch.device("meta"):
        model = create_model(name)
    assert set(original_names(model)) == modules_of(original_shapes(name))
    assert set(original_names(model).values()) == modules_of(model.state_dict())
    assert len(set(original_names(model).values())) == len(original_names(model))
    assert {key: tuple(x.shape) for key, x in original_state(model).items()} == original_shapes(name)


@every_network
def test_arguments_are_inferred_from_shapes(name):
    assert infer_arguments(name.partition("_")[0], empty_state(name)) == PUBLISHED[name]


@every_architecture
def test_another_networks_checkpoint_is_not_inferred(architecture):
    assert infer_arguments(architecture, {"conv.weight": torch.zeros(8, 3, 3, 3)}) is None
    other = {"mprnet": "hinet_half", "hinet": "mprnet_derain"}[architecture]
    assert infer_arguments(architecture, empty_state(other)) is None


WIDTH = st.shared(st.integers(4, 12), key="width")
DEPTH = st.shared(st.integers(1, 5), key="depth")
ARGUMENTS = {
    "mprnet": st.fixed_dictionaries(
        {
            "width": WIDTH,
            "unet_step": st.integers(0, 8),
            "ors_step": st.integers(0, 8),
            "num_blocks": st.integers(1, 4),
            "kernel_size": st.sampled_from([1, 3, 5]),
            "reduction": WIDTH.flatmap(lambda width: st.integers(1, width)),
            "bias": st.booleans(),
            "image_channels": st.integers(1, 4),
        }
    ),
    "hinet": st.fixed_dictionaries(
        {
            "width": st.integers(2, 6),
            "depth": DEPTH,
            "norm_levels": st.just(())
            | DEPTH.flatmap(lambda depth: st.integers(0, depth - 1)).flatmap(
                lambda first: st.tuples(st.just(first), st.integers(first, 6))
            ),
            "image_channels": st.integers(1, 4),
        }
    ),
}
WRAPPERS = {
    "bare": lambda state: state,
    "state_dict": lambda state: {"epoch": 3, "state_dict": state},
    "params": lambda state: {"params": state},
    "module.": lambda state: {f"module.{name}": tensor for name, tensor in state.items()},
    "state_dict of module.": lambda state: {"state_dict": {f"module.{name}": tensor for name, tensor in state.items()}},
}


@every_architecture
@HALF
@given(data=st.data(), wrapper=st.sampled_from(sorted(WRAPPERS)))
def test_original_names_round_trip_for_any_arguments(architecture, data, wrapper):
    arguments = data.draw(ARGUMENTS[architecture])
    model = create_model(architecture, **arguments)
    state = original_state(model)
    assert len(state) == len(model.state_dict())
    assert not set(state) & set(model.state_dict())
    assert set(original_names(model)) == modules_of(state)
    assert_same_state(load_weights(create_model(architecture, **arguments), WRAPPERS[wrapper](state)), model)


@every_architecture
@HALF
@given(data=st.data())
def test_inferred_arguments_build_an_equivalent_model(architecture, data):
    with torch.device("meta"):
        model = create_model(architecture, **data.draw(ARGUMENTS[architecture]))
        inferred = create_model(architecture, **infer_arguments(architecture, original_state(model)))
    assert {key: x.shape for key, x in inferred.state_dict().items()} == {key: x.shape for key, x in model.state_dict().items()}
    assert inferred.size_multiple == model.size_multiple


@pytest.mark.parametrize("case", json.loads((DATA / "losses_expected.json").read_text()), ids=lambda case: str(case["shape"]))
def test_charbonnier_loss(case, device):
    """The mean is one of float32 sums, in any order; its relative error is a few 1e-7."""
    output, target = (
        torch.from_numpy(picture(tuple(case["shape"]), case[seed])).to(device) for seed in ("seed_output", "seed_target")
    )
    assert charbonnier(output, target).item() == pytest.approx(case["charbonnier"], rel=1e-6)
