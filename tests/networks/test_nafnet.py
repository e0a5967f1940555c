"""NAFNet computes what the authors' code computes, and reads the checkpoints that it writes.

Targets and tolerances are as in test_parity.py: ``data/nafnet_deblur_keys.json`` lists the original state dict, of width 32 as
trained for GoPro, and ``data/nafnet_deblur_expected.npz`` holds what the original code makes of it.
"""

import functools
import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from _helpers import DATA
from _helpers.parity import TOLERANCE, assert_same_state, modules_of, original_state
from _helpers.parity_fill import fill, picture
from restorekit import create_model, load_weights
from restorekit.checkpoints import original_names
from restorekit.models import model_from_checkpoint
from restorekit.models._nafnet import infer_arguments


@functools.cache
def original_shapes():
    """Return the original state dict's names and shapes."""
    return {key: tuple(shape) for key, shape in json.loads((DATA / "nafnet_deblur_keys.json").read_text())}


def test_outputs(device):
    original = {
        key: torch.from_numpy(fill(key, shape)) + key.endswith(("norm1.weight", "norm2.weight"))
        for key, shape in original_shapes().items()
    }
    model = load_weights(create_model("nafnet_deblur"), original).to(device).eval()
    expected = np.load(DATA / "nafnet_deblur_expected.npz")
    image = torch.from_numpy(picture(tuple(expected["shape"].tolist()), int(expected["seed"]))).to(device)
    wanted = torch.from_numpy(expected["result"]).double()
    for dtype, tolerance in TOLERANCE.items():
        with torch.no_grad():
            (output,) = model.to(dtype).forward_stages(image.to(dtype))
        torch.testing.assert_close(output.double().cpu(), wanted, rtol=0, atol=tolerance, msg=f"{dtype}")


def test_name_table_is_exact_both_ways():
    with torch.device("meta"):
        model = create_model("nafnet_deblur")
    assert set(original_names(model)) == modules_of(original_shapes())
    assert set(original_names(model).values()) == modules_of(model.state_dict())
    assert len(set(original_names(model).values())) == len(original_names(model))
    assert {key: tuple(x.shape) for key, x in original_state(model).items()} == original_shapes()


def test_arguments_are_inferred_from_shapes():
    state = {key: torch.empty(shape, device="meta") for key, shape in original_shapes().items()}
    assert infer_arguments(state) == {
        "width": 32,
        "encoder_blocks": (1, 1, 1, 28),
        "middle_blocks": 1,
        "decoder_blocks": (1, 1, 1, 1),
        "image_channels": 3,
    }


def test_another_networks_checkpoint_is_not_inferred():
    assert infer_arguments({"conv.weight": torch.zeros(8, 3, 3, 3)}) is None
    assert infer_arguments({"intro.weight": torch.zeros(8, 3, 3, 3), "ending.weight": torch.zeros(3, 8, 3, 3)}) is None


ARGUMENTS = st.integers(0, 3).flatmap(
    lambda levels: st.fixed_dictionaries(
        {
            "width": st.integers(1, 4),
            "encoder_blocks": st.tuples(*[st.integers(0, 3)] * levels),
            "middle_blocks": st.integers(1, 3),
            "decoder_blocks": st.tuples(*[st.integers(0, 3)] * levels),
            "image_channels": st.integers(1, 4),
        }
    )
)


@given(arguments=ARGUMENTS)
def test_original_names_and_arguments_round_trip(arguments):
    model = create_model("nafnet", **arguments)
    state = original_state(model)
    assert len(state) == len(model.state_dict())
    assert not set(state) & set(model.state_dict())
    assert set(original_names(model)) == modules_of(state)
    assert infer_arguments(state) == arguments
    assert_same_state(load_weights(create_model("nafnet", **arguments), state), model)
    assert model.size_multiple == 2 ** len(arguments["encoder_blocks"])


def test_the_decoder_is_counted_from_the_finest_level():
    model = create_model("nafnet", width=2, encoder_blocks=(1, 1), decoder_blocks=(1, 3))
    names = original_state(model)
    assert names["decoders.0.2.beta"].shape == (1, 4, 1, 1)  # the authors count from the coarsest
    assert "decoders.1.1.beta" not in names


def test_a_checkpoint_of_the_authors_becomes_a_model(tmp_path):
    arguments = {"width": 2, "encoder_blocks": (1, 2), "middle_blocks": 1, "decoder_blocks": (2, 1)}
    model = create_model("nafnet", **arguments)
    torch.save({"params": original_state(model)}, tmp_path / "net.pth")
    loaded, metadata = model_from_checkpoint(tmp_path / "net.pth")
    assert_same_state(loaded, model)
    assert metadata["architecture"] == "nafnet"


def test_a_new_network_returns_the_features_of_its_blocks_unchanged():
    """Every block starts as the identity."""
    model = create_model("nafnet", width=4, encoder_blocks=(1,), middle_blocks=1, decoder_blocks=(1,))
    x = torch.rand(1, 4, 6, 8)
    fine, coarse = model.stages[0].encode((x,), ())
    assert torch.equal(fine, x)
    assert torch.equal(coarse, model.stages[0].downs[0](x))


def test_encoder_and_decoder_must_have_as_many_levels():
    with pytest.raises(ValueError, match=r"must have the same length; got \(1, 1\) and \(1,\)"):
        create_model("nafnet", encoder_blocks=(1, 1), decoder_blocks=(1,))
