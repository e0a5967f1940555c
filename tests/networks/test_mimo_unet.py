"""MIMO-UNet computes what the authors' code computes, at three scales and inside, and reads the checkpoints that it writes.

Targets and tolerances are as in test_parity.py.
"""

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from _helpers import HALF
from _helpers.parity import TOLERANCE, assert_same_state, made_up_state, modules_of, original_shapes, original_state, targets
from restorekit import WiringError, create_model, load_weights, restore
from restorekit.blocks import AsymmetricFeatureFusion, ShallowConvolutionalModule
from restorekit.checkpoints import original_names
from restorekit.models import model_from_checkpoint, pretrained_config
from restorekit.models._mimo_unet import infer_arguments
from restorekit.stages import MIMOUNetStage
from restorekit.testing import check_model, check_stage

FACTORS = {
    "mimo_unet": {r"^(SCM[12]|AFFs)\..*weight$": 2.0},
    "mimo_unet_plus": {r"^(SCM[12]|AFFs)\..*weight$": 2.0, r"^(Encoder|Decoder)\..*\.main\.1\.main\.0\.weight$": 0.7},
}
INSIDE = {  # module of the original -> module here
    "SCM2": "stems.0.1",
    "SCM1": "stems.0.2",
    "FAM2": "stages.0.attentions.0",
    "FAM1": "stages.0.attentions.1",
    "AFFs.0": "stages.0.fusions.0",
    "AFFs.1": "stages.0.fusions.1",
    **{f"Encoder.{i}": f"stages.0.encoders.{i}" for i in range(3)},
    **{f"Decoder.{2 - i}": f"stages.0.decoders.{i}" for i in range(3)},
}
SMALL = {"width": 4, "num_blocks": 2, "image_channels": 1, "dropout": 0.0}
every_target = pytest.mark.parametrize("name", FACTORS)


@every_target
def test_outputs_of_every_scale_and_inside(name, device):
    model = load_weights(create_model(name), made_up_state(name, FACTORS[name])).to(device).eval()
    image, wanted = targets(name)
    found = {}
    for theirs, ours in INSIDE.items():
        model.get_submodule(ours).register_forward_hook(
            lambda module, inputs, output, theirs=theirs: found.update({f"probe:{theirs}": output[:, :2]})
        )
    for dtype, tolerance in TOLERANCE.items():
        with torch.no_grad():
            found |= zip(("quarter", "half", "result"), model.to(dtype).forward_stages(image.to(device, dtype)), strict=True)
        assert found.keys() == wanted.keys()
        for key, output in found.items():
            atol = tolerance * max(1.0, wanted[key].abs().max().item() / 4)  # features may be larger than images
            torch.testing.assert_close(output.double().cpu(), wanted[key], rtol=0, atol=atol, msg=f"{key}, {dtype}")


@every_target
def test_name_table_is_exact_both_ways(name):
    with torch.device("meta"):
        model = create_model(name)
    assert set(original_names(model)) == modules_of(original_shapes(name))
    assert {key: tuple(x.shape) for key, x in original_state(model).items()} == original_shapes(name)


def test_arguments_are_inferred_from_shapes():
    for name, num_blocks, dropout in (("mimo_unet", 8, 0.0), ("mimo_unet_plus", 20, 0.1)):
        state = {key: torch.empty(shape, device="meta") for key, shape in original_shapes(name).items()}
        assert infer_arguments(state) == {"width": 32, "num_blocks": num_blocks, "image_channels": 3, "dropout": dropout}
    assert infer_arguments({"conv.weight": torch.zeros(8, 3, 3, 3)}) is None


@HALF
@given(
    arguments=st.fixed_dictionaries(
        {
            "width": st.integers(3, 6),
            "num_blocks": st.integers(1, 3),
            "image_channels": st.integers(1, 4),
            "dropout": st.just(0.0),
        }
    )
)
def test_original_names_and_arguments_round_trip(arguments):
    model = create_model("mimo_unet", **arguments)
    state = original_state(model)
    assert len(state) == len(model.state_dict())
    assert infer_arguments(state) == arguments
    assert_same_state(load_weights(create_model("mimo_unet", **arguments), state), model)


def test_a_checkpoint_of_the_authors_becomes_a_model(tmp_path):
    model = create_model("mimo_unet", **SMALL).eval()
    torch.save({"model": original_state(model)}, tmp_path / "MIMO-UNet.pkl")
    loaded, metadata = model_from_checkpoint(tmp_path / "MIMO-UNet.pkl")
    assert_same_state(loaded, model)
    assert metadata["architecture"] == "mimo_unet"
    assert json.loads(metadata["arguments"]) == SMALL
    image = torch.rand(1, 9, 13)
    assert torch.equal(restore(loaded, image, precision="float32"), restore(model, image, precision="float32"))


def test_scales_are_resized_as_published():
    """Halving takes the first pixel, doubling repeats."""
    fusion = AsymmetricFeatureFusion((2, 2, 2), 1)
    seen = []
    fusion.merge.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    fine, same, coarse = (torch.rand(1, 2, 8 // 2**i, 12 // 2**i) for i in range(3))
    fusion((fine, same, coarse))
    assert torch.equal(seen[0], torch.cat((fine[..., ::2, ::2], same, coarse.repeat_interleave(2, 2).repeat_interleave(2, 3)), 1))


def test_skips_drop_channels_in_training_only():
    torch.manual_seed(0)
    model = create_model("mimo_unet", **SMALL | {"dropout": 0.5})
    image = torch.rand(1, 1, 8, 8)
    first, second = (model(image) for _ in range(2))
    assert not torch.equal(first, second)
    model.eval()
    assert torch.equal(model(image), model(image))
    plus = create_model("mimo_unet_plus", width=4)
    assert plus.stages[0].dropout.p == 0.1
    assert len(plus.stages[0].encoders[0]) == 20


@pytest.mark.parametrize("levels", [1, 2, 4])
def test_any_number_of_levels(levels):
    check_stage(MIMOUNetStage([4] * levels, "naf", num_blocks=1, attend="gate", guided=True))


def test_only_the_result_needs_no_coarse_heads():
    model = create_model("mimo_unet", **SMALL)
    check_model(model)
    assert model.size_multiple == 4
    assert [restored.shape[-1] for restored in model.forward_stages(torch.rand(1, 1, 8, 8))] == [2, 4, 8]
    assert len(model.forward_stages(torch.rand(1, 1, 8, 8), coarse=False)) == 1
    assert isinstance(model.heads[2], nn.Module)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: MIMOUNetStage(()), ValueError, "widths is empty; the stage needs at least one level"),
        (lambda: MIMOUNetStage((4, 8), num_blocks=-1), ValueError, "num_blocks must not be negative; got -1"),
        (lambda: ShallowConvolutionalModule(4, 4), ValueError, "features of at least 5 channels, which contain the image; got 4"),
        (lambda: create_model("mimo_unet", width=1), WiringError, "stem: an image of 3 channels needs .*; got 2; choose a larger"),
    ],
)
def test_what_cannot_be_is_refused(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_weights_are_fetched_from_the_authors():
    for name in ("mimo_unet.gopro", "mimo_unet_plus.gopro", "mimo_unet_plus.realblur"):
        config = pretrained_config(name)
        assert config.licence.summary == "no licence stated: all rights reserved; commercial use not allowed"
        assert config.bundled_path() is None
