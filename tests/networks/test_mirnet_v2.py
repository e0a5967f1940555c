"""MIRNet-v2 computes what the authors' code computes, and reads the checkpoints that it writes.

Targets and tolerances are as in test_parity.py, for weights that let every part count.
"""

import json

import numpy as np
import pytest
import torch

from _helpers import DATA
from _helpers.descriptors import SMALL_MIRNET_V2
from _helpers.parity import TOLERANCE, assert_same_state, modules_of, original_state
from _helpers.parity_fill import fill, picture
from restorekit import create_model, load_weights
from restorekit.blocks import MultiScaleResidualBlock, ResidualContextualBlock, SelectiveKernelMerge
from restorekit.checkpoints import original_names
from restorekit.inference import local_pooling
from restorekit.models import model_from_checkpoint
from restorekit.models._mirnet_v2 import infer_arguments
from restorekit.stages import MultiStage, ORSNetStage, UNetStage
from restorekit.testing import check_model

SHAPES = {key: tuple(shape) for key, shape in json.loads((DATA / "mirnet_v2_keys.json").read_text())}
FACTORS = {"conv_mask": 6, "channel_add_conv": 2, "skff": 2}  # of made-up weights that would hardly count otherwise


def test_outputs(device):
    original = {
        key: torch.from_numpy(fill(key, shape)) * next((factor for part, factor in FACTORS.items() if part in key), 1)
        for key, shape in SHAPES.items()
    }
    model = load_weights(create_model("mirnet_v2"), original).to(device).eval()
    expected = np.load(DATA / "mirnet_v2_expected.npz")
    image = torch.from_numpy(picture(tuple(expected["shape"].tolist()), int(expected["seed"]))).to(device)
    wanted = torch.from_numpy(expected["result"]).double()
    for dtype, tolerance in TOLERANCE.items():
        with torch.no_grad():
            output = model.to(dtype)(image.to(dtype))
        torch.testing.assert_close(output.double().cpu(), wanted, rtol=0, atol=tolerance, msg=f"{dtype}")


def test_names_and_arguments_are_those_of_the_authors():
    with torch.device("meta"):
        model = create_model("mirnet_v2")
        state = original_state(model)
    assert {key: tuple(x.shape) for key, x in state.items()} == SHAPES
    assert set(original_names(model)) == modules_of(SHAPES)
    assert infer_arguments(state) == {"width": 80, "groups": (1, 2, 4, 4), "num_blocks": 2, "factor": 1.5, "image_channels": 3}
    assert infer_arguments({"conv_in.weight": torch.zeros(8, 3, 3, 3)}) is None


def test_a_checkpoint_of_the_authors_becomes_a_model(tmp_path):
    model = create_model("mirnet_v2", **SMALL_MIRNET_V2)
    torch.save({"params": original_state(model)}, tmp_path / "net.pth")
    loaded, metadata = model_from_checkpoint(tmp_path / "net.pth")
    assert_same_state(loaded, model)
    assert metadata["architecture"] == "mirnet_v2"


def test_passes_share_their_weights_but_not_their_resizing():
    once, twice = (MultiScaleResidualBlock(8, num_passes=passes).state_dict() for passes in (1, 2))
    assert {name.split(".")[0] for name in twice.keys() - once.keys()} == {"ups"}


def test_the_context_is_a_mean_over_the_image():
    """Without attention to any pixel in particular, it is the plain mean."""
    torch.manual_seed(0)
    block, x = ResidualContextualBlock(4), torch.rand(1, 4, 5, 7)
    torch.nn.init.zeros_(block.attend.weight)
    features = block.body(x)
    wanted = x + block.act(features + block.context(features.mean(dim=(2, 3), keepdim=True)))
    torch.testing.assert_close(block(x), wanted)


def test_a_merge_is_a_weighted_mean():
    merge, x = SelectiveKernelMerge(8, 8), torch.rand(1, 8, 3, 5)
    torch.testing.assert_close(merge(x, x), x)


def test_its_parts_stand_in_other_networks():
    stages = [
        UNetStage((8, 12), num_blocks=1, merge="skff"),
        ORSNetStage(8, ["mrb", "cab"], num_orbs=2, num_blocks=1, guided=True),
    ]
    check_model(MultiStage(stages, grids=[(2, 2), (1, 1)]))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ResidualContextualBlock(8, groups=3), "groups must divide the width; got 3 groups for width 8"),
        (lambda: MultiScaleResidualBlock(8, num_passes=0), "at least 1; got 3 and 0"),
        (lambda: SelectiveKernelMerge(8, 12), "choose merge='concat'"),
        (lambda: SelectiveKernelMerge(8, 8, reduction=0), "reduction must be at least 1; got 0"),
        (lambda: create_model("mirnet_v2", groups=()), "num_orbs must be at least 1; got 0"),
    ],
)
def test_what_cannot_be_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_its_context_cannot_be_made_local():
    with pytest.raises(ValueError, match="ResidualContextualBlock uses the whole image in a way that cannot be made local"):
        local_pooling(create_model("mirnet_v2", **SMALL_MIRNET_V2), 64)
