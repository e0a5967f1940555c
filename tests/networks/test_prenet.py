"""PReNet and PRN compute what the authors' code computes in every iteration, and read the checkpoints that it writes.

Targets and tolerances are as in test_parity.py.
"""

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from safetensors import safe_open

from _helpers import HALF
from _helpers.parity import TOLERANCE, assert_same_state, made_up_state, modules_of, original_shapes, original_state, targets
from restorekit import Shared, create_model, load_weights, restore
from restorekit.blocks import ConvLSTM
from restorekit.checkpoints import original_names, save_weights
from restorekit.models import model_from_checkpoint, pretrained_config
from restorekit.models._prenet import infer_arguments
from restorekit.stages import MultiStage, ORSNetStage, PReNetStage
from restorekit.testing import check_model, check_stage

FACTORS = {
    "prenet": {r"conv_[ifgo]\.0\.weight$": 3.0, r"res_conv[1-5]\.[02]\.weight$": 1.5},
    "prn": {},
    "prn_r": {},
}
PUBLISHED = {
    "prenet": {"width": 32, "recurrent": True, "shared_blocks": False, "image_channels": 3},
    "prn": {"width": 32, "recurrent": False, "shared_blocks": False, "image_channels": 3},
    "prn_r": {"width": 32, "recurrent": False, "shared_blocks": True, "image_channels": 3},
}
NUM_TENSORS = {"prenet": 32, "prenet_r": 16, "prn": 24, "prn_r": 8}
every_target = pytest.mark.parametrize("name", FACTORS)


@every_target
def test_outputs_of_every_iteration(name, device):
    model = load_weights(create_model(name), made_up_state(name, FACTORS[name])).to(device).eval()
    image, wanted = targets(name)
    for dtype, tolerance in TOLERANCE.items():
        with torch.no_grad():
            outputs = model.to(dtype).forward_stages(image.to(device, dtype))
        assert list(wanted) == [f"iteration{i + 1}" for i in range(len(outputs))]
        for (key, x), output in zip(wanted.items(), outputs, strict=True):
            torch.testing.assert_close(output.double().cpu(), x, rtol=0, atol=tolerance, msg=f"{key}, {dtype}")


@every_target
def test_names_and_arguments_of_the_authors(name):
    with torch.device("meta"):
        model = create_model(name)
    assert set(original_names(model)) == modules_of(original_shapes(name))
    assert {key: tuple(x.shape) for key, x in original_state(model).items()} == original_shapes(name)
    assert infer_arguments(original_state(model)) == PUBLISHED[name]


@pytest.mark.parametrize("name", NUM_TENSORS)
def test_weights_are_stored_once(name, tmp_path):
    """Whatever the number of iterations, and of uses of a block."""
    model = create_model(name, width=4)
    save_weights(model, tmp_path / "weights.safetensors")
    with safe_open(tmp_path / "weights.safetensors", "pt") as file:
        assert len(list(file.keys())) == NUM_TENSORS[name]
    assert len(model.state_dict()) == NUM_TENSORS[name]


@HALF
@example(arguments={"width": 3, "recurrent": True, "shared_blocks": False, "image_channels": 3}, iterations=1)
@given(
    arguments=st.fixed_dictionaries(
        {
            "width": st.integers(1, 6),
            "recurrent": st.booleans(),
            "shared_blocks": st.booleans(),
            "image_channels": st.integers(1, 4),
        }
    ),
    iterations=st.integers(1, 4),
)
def test_original_names_and_arguments_round_trip(arguments, iterations):
    model = create_model("prenet", iterations=iterations, **arguments)
    state = original_state(model)
    assert len(state) == len(model.state_dict())
    assert infer_arguments(state) == arguments
    assert_same_state(load_weights(create_model("prenet", iterations=iterations, **arguments), state), model)
    assert model.num_supervised == iterations


@pytest.mark.parametrize("name", NUM_TENSORS)
def test_a_checkpoint_of_the_authors_becomes_a_model(name, tmp_path):
    """It is bare, and in the older format of torch.save."""
    model = create_model(name, width=4).eval()
    torch.save(original_state(model), tmp_path / "net_latest.pth", _use_new_zipfile_serialization=False)
    loaded, metadata = model_from_checkpoint(tmp_path / "net_latest.pth")
    assert_same_state(loaded, model)
    assert metadata["architecture"] == "prenet"
    image = torch.rand(3, 9, 13)
    assert torch.equal(restore(loaded, image, precision="float32"), restore(model, image, precision="float32"))


def test_other_networks_are_not_recognised():
    state = original_state(create_model("prenet", width=4))
    assert infer_arguments({"conv.weight": torch.zeros(8, 3, 3, 3)}) is None
    gated = {name.replace("conv_i", "conv_z"): tensor for name, tensor in state.items()}  # the ablation's GRU
    assert infer_arguments(gated) is None
    assert infer_arguments(state | {"conv0.0.weight": torch.zeros(4, 3, 3, 3)}) is None  # its PReNet_x, without the image


def test_a_state_of_zeros_starts_the_recurrence():
    """Computed here step by step; each image starts anew."""
    torch.manual_seed(0)
    model = create_model("prenet", width=4, iterations=3).eval()
    image = torch.rand(2, 3, 6, 7)
    step = model.stages[0]
    hidden = cell = torch.zeros(2, 4, 6, 7)
    restored, wanted = image, []
    for _ in range(3):
        hidden, cell = step.lstm(step.entry(torch.cat((image, restored), dim=1)), hidden, cell)
        x = hidden
        for block in step.blocks:
            x = (x + block.conv2(block.conv1(x).relu()).relu()).relu()
        restored = step.exit(x) + image
        wanted.append(restored)
    for _ in range(2):  # nothing is left from the last image
        for output, x in zip(model.forward_stages(image), wanted, strict=True):
            torch.testing.assert_close(output, x)


def test_an_lstm_forgets_what_its_gate_closes():
    lstm = ConvLSTM(2)
    for parameter in lstm.parameters():
        torch.nn.init.zeros_(parameter)
    x, cell = torch.rand(1, 2, 3, 4), torch.rand(1, 2, 3, 4)
    hidden, kept = lstm(x, x, cell)
    assert torch.allclose(kept, cell / 2)
    assert torch.allclose(hidden, (cell / 2).tanh() / 2)
    torch.nn.init.constant_(lstm.forget_gate.bias, -100)
    assert not lstm(x, x, cell)[1].any()


def test_the_stage_stands_in_a_row_with_others():
    stage = PReNetStage(6, "naf", in_width=4, out_width=4, num_blocks=3)
    check_stage(stage)
    model = MultiStage([ORSNetStage(4, num_orbs=2, num_blocks=1), stage], grids=[(2, 2), (1, 1)])
    check_model(model)
    again = MultiStage([stage, stage], join=Shared("concat"), supervise=Shared("sam"), fuse="state")
    check_model(again)


def test_no_iteration_and_blocks_below_zero_are_refused():
    with pytest.raises(ValueError, match="there are no stages; a network needs at least one"):
        create_model("prenet", iterations=0)
    with pytest.raises(ValueError, match="num_blocks must not be negative; got -1"):
        PReNetStage(4, num_blocks=-1)


def test_weights_are_fetched_from_the_authors():
    for name in ("prenet", "prenet_r", "prn", "prn_r"):
        config = pretrained_config(f"{name}.rain100h")
        assert config.licence.summary == "no licence stated: all rights reserved; commercial use not allowed"
        assert config.bundled_path() is None
        assert config.sources[0].url.startswith("https://raw.githubusercontent.com/csdwren/PReNet/")
