"""HINet and its parts, beside what all parts and models are tested for."""

import json

import pytest
import torch
from torch import nn

from restorekit import CheckpointError, create_model
from restorekit.blocks import HalfInstanceNorm, HalfInstanceNormBlock
from restorekit.checkpoints import original_names, save_weights
from restorekit.models import model_from_checkpoint
from restorekit.stages import HINetStage, Level, MultiStage, ORSNetStage, UNetStage
from restorekit.testing import check_block, check_model, check_stage

SMALL = {"width": 4, "depth": 3, "norm_levels": [1, 2]}


def noise(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("width", [2, 7, 8])
def test_the_first_half_is_normalised_as_by_torch(width):
    half, x = width // 2, 3 + 2 * noise(2, width, 5, 6)
    norm, reference = HalfInstanceNorm(width).double(), nn.InstanceNorm2d(half, affine=True).double()
    with torch.no_grad():
        norm.weight.copy_(noise(half))
        norm.bias.copy_(noise(half) - 1)
    reference.load_state_dict(norm.state_dict())
    output = norm(x)
    torch.testing.assert_close(output[:, :half], reference(x[:, :half]), rtol=0, atol=1e-12)
    assert torch.equal(output[:, half:], x[:, half:])


def test_a_channel_of_one_pixel_becomes_its_bias():
    x = noise(2, 4, 1, 1)
    norm = HalfInstanceNorm(4).double()
    nn.init.constant_(norm.bias, 0.5)
    assert torch.equal(norm(x)[:, :2], torch.full((2, 2, 1, 1), 0.5, dtype=torch.float64))


def test_a_block_of_any_widths_with_or_without_norm():
    assert HalfInstanceNormBlock(6, in_width=4)(torch.zeros(1, 4, 5, 7)).shape == (1, 6, 5, 7)
    check_block(HalfInstanceNormBlock(1, norm=False), width=1)
    check_stage(UNetStage((4, 6), HalfInstanceNormBlock, guided=True))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: HalfInstanceNorm(1), "half of width 1 leaves no channel"),
        (lambda: HINetStage(()), "at least one level"),
        (lambda: HINetStage((4, 8), norm_levels=(2, 4)), r"norm_levels is \(2, 4\), but the levels are 0 to 1"),
        (lambda: HINetStage((4, 8), norm_levels=(1, 0)), r"norm_levels is \(1, 0\)"),
        (lambda: HINetStage((4, 8), norm_levels=(-1, 1)), r"norm_levels is \(-1, 1\)"),
        (lambda: HINetStage((4, 8), norm_levels=(1,)), r"norm_levels is \(1,\)"),
        (lambda: create_model("hinet_deblur", depth=3, width=4), r"norm_levels is \(3, 4\), but the levels are 0 to 2"),
    ],
)
def test_what_cannot_be_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize(
    ("norm_levels", "normed"), [((0, 4), [0, 1, 2]), ((1, 1), [1]), ((2, 4), [2]), ((), []), ([0, 1], [0, 1])], ids=str
)
def test_only_the_levels_that_are_named_normalise(norm_levels, normed):
    stage = HINetStage((2, 4, 8), norm_levels=norm_levels)
    assert [i for i, block in enumerate(stage.encoders) if isinstance(block.norm, HalfInstanceNorm)] == normed
    assert not any(isinstance(module, HalfInstanceNorm) for module in stage.decoders.modules())


def test_guidance_is_wanted_at_all_levels_but_the_coarsest():
    assert HINetStage((2, 4, 8), guided=True).spec.guidance == (Level(2, 1), Level(4, 2))
    assert HINetStage((2,), guided=True).spec.guidance == ()


@pytest.mark.parametrize(("depth", "multiple"), [(1, 1), (3, 4), (5, 16)])
def test_sides_are_multiples_of_the_coarsest_stride(depth, multiple):
    model = create_model("hinet", width=2, depth=depth, norm_levels=())
    assert model.size_multiple == multiple
    check_model(model)


def test_the_published_network_wants_multiples_of_16():
    with torch.device("meta"):
        model = create_model("hinet_half")
        assert model(torch.rand(1, 3, 16, 32)).shape == (1, 3, 16, 32)
        with pytest.raises(ValueError, match="got 40x48; height and width must be multiples of 16; pad to 48x48"):
            model(torch.rand(1, 3, 40, 48))


def test_its_stages_stand_in_a_row_with_others():
    stages = [
        HINetStage((4, 8, 16)),
        UNetStage((6, 8, 12), guided=True),
        HINetStage((4, 8, 16), guided=True),
        ORSNetStage(4, num_orbs=3, num_blocks=1, guided=True),
    ]
    check_model(MultiStage(stages, grids=[(2, 2), (2, 1), (1, 1), (1, 1)]))


def test_a_file_says_which_network_it_is_for(tmp_path):
    save_weights(
        create_model("hinet", **SMALL), tmp_path / "a.safetensors", {"architecture": "hinet", "arguments": json.dumps(SMALL)}
    )
    model, metadata = model_from_checkpoint(tmp_path / "a.safetensors")
    assert metadata["architecture"] == "hinet"
    assert [isinstance(block.norm, HalfInstanceNorm) for block in model.stages[0].encoders] == [False, True, True]


def test_a_checkpoint_of_the_authors_is_recognised(tmp_path):
    model = create_model("hinet", **SMALL)
    theirs = {ours: original for original, ours in original_names(model).items()}
    state = {}
    for name, tensor in model.state_dict().items():
        module, _, parameter = name.rpartition(".")
        state[f"{theirs[module]}.{parameter}"] = tensor
    torch.save({"params": state}, tmp_path / "a.pth")
    found, metadata = model_from_checkpoint(tmp_path / "a.pth")
    assert json.loads(metadata["arguments"]) == SMALL | {"image_channels": 3}
    image = torch.rand(1, 3, 8, 12)
    assert torch.equal(found(image), model.eval()(image))


def test_weights_with_no_known_file_lead_to_the_authors_page():
    with pytest.raises(CheckpointError, match=r"hinet_denoise.sidd are not available:\n- Google Drive: 1CU5z"):
        create_model("hinet_denoise", pretrained="sidd")
