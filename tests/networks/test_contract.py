"""What networks can declare: what comes out, conditions, stages that run again, U-Nets that concatenate, lists, dense guidance."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import restorekit
from restorekit import Condition, ConfigError, ImageSpec, MultiStage, Shared, WiringError, compose, restore
from restorekit.blocks import BiasFreeLayerNorm
from restorekit.checkpoints import load_weights, save_weights
from restorekit.errors import CheckpointError, OptionError
from restorekit.inference import InferenceOptions, Restorer, local_pooling, seamless
from restorekit.inspection import inspect_model, wiring
from restorekit.inspection._sheet import Label
from restorekit.stages import Level, Stage, StageSpec, UNetStage
from restorekit.testing import check_model, check_stage

UNET = {"name": "unet", "widths": [4, 8], "num_blocks": 1}
RAW = {"stages": [UNET], "image_channels": 4, "output": {"channels": 3, "scale": 2}, "head": "pixel_shuffle"}
TWICE = {"stages": [UNET], "output": {"scale": 2}, "head": "pixel_shuffle"}
DUAL_PIXEL = {"stages": [UNET | {"shortcut": "conv"}], "image_channels": 6, "output": {"channels": 3}, "head": "direct"}
BURST = {
    "stages": [UNET, UNET],
    "image_channels": 9,
    "output": {"channels": 3},
    "supervise": {"name": "sam", "of": [0, 1, 2]},
    "head": {"name": "residual_head", "of": [0, 1, 2]},
}
NOISE_MAP = {"stages": [UNET], "conditions": [{"name": "noise_level", "unit": 255}], "scale_mode": "corner"}
DEEP_TWICE = TWICE | {"stages": [UNET, UNET | {"guided": True}], "supervise": {"name": "head", "head": "pixel_shuffle"}}
RECURRENT = {
    "stages": ["@step", "@step", "@step"],
    "join": "@join",
    "supervise": "@sam",
    "fuse": "@fuse",
    "shared": {"step": UNET | {"guided": True}, "join": "concat", "sam": "sam", "fuse": "csff"},
}
DENSE = {
    "stages": [UNET, UNET | {"guided": True}, UNET | {"guided": True, "widths": [4, 6]}],
    "grids": [[2, 2], [2, 1], [1, 1]],
    "guided_by": [[], [0], [0, 1]],
    "supervised_at": [[1, 2], [1], [1, 2]],
    "supervise": ["sam", "plain"],
    "fuse": ["csff", "concat"],
    "stem": ["conv"],
    "head": ["residual_head", {"name": "residual_head", "bias": True}],
}
CONFIGS = {
    "raw": RAW,
    "twice": TWICE,
    "dual pixel": DUAL_PIXEL,
    "burst": BURST,
    "noise map": NOISE_MAP,
    "deep twice": DEEP_TWICE,
    "recurrent": RECURRENT,
    "dense": DENSE,
}


def noise(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", CONFIGS)
def test_what_is_declared_holds(name, tmp_path):
    """It is what check_model checks, also in bfloat16 and by the passes, and comes back from files, drawings included."""
    config = CONFIGS[name]
    model = compose(config)
    assert model.config == config
    check_model(model)
    save_weights(model, tmp_path / "weights.safetensors")
    (tmp_path / "network.json").write_text(json.dumps(config))
    again = load_weights(compose(tmp_path / "network.json"), tmp_path / "weights.safetensors")
    assert len(list(again.parameters())) == len(list(model.parameters()))
    image = noise(1, model.input_channels, 8, 8)
    assert torch.equal(again(image), model(image))
    found = inspect_model(model, (8, 8))
    assert found.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert wiring(model).shapes


# ---- what comes out


@pytest.mark.parametrize("tile", ["auto", 32])
@pytest.mark.parametrize("ensemble", [False, True])
def test_an_enlarged_image_is_restored_in_tiles_and_turned(tile, ensemble):
    """The head repeats pixels here, so that the result is known."""

    class Repeat(nn.Module):
        def __init__(self, width, channels):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(()))

        def forward(self, x, image):
            return F.interpolate(image, scale_factor=2.0, mode="nearest") + self.weight * x.sum()

    model = MultiStage([UNetStage((4, 4), num_blocks=1)], output=ImageSpec(scale=2), head=Repeat)
    image = (noise(3, 45, 70) * 255).to(torch.uint8)
    wanted = image.repeat_interleave(2, 1).repeat_interleave(2, 2)
    assert torch.equal(restore(model, image, tile=tile, overlap=8, ensemble=ensemble, precision="float32"), wanted)
    grey = image[:1].permute(1, 2, 0).numpy()[..., 0]
    assert np.array_equal(restore(model, grey, tile=tile, overlap=8, precision="float32"), wanted[0].numpy())
    transparent = torch.cat((image, 255 - image[:1]))
    assert torch.equal(restore(model, transparent, precision="float32")[3], 255 - wanted[0])


def test_rows_of_an_enlarged_image_are_those_of_the_whole():
    restorer = Restorer(compose(TWICE), InferenceOptions(tile=32, overlap=8, precision="float32"))
    pixels = (noise(45, 70, 4) * 255).to(torch.uint8).numpy()
    bands = list(restorer.by_rows(pixels.shape, pixels.dtype, lambda first, last: pixels[first:last]))
    rows = np.concatenate(bands)
    assert len(bands) > 1
    assert rows.shape == restorer.restored_shape(*pixels.shape) == (90, 140, 4)
    assert np.array_equal(rows, restorer(pixels))


def test_planes_become_colours():
    model = compose(RAW)
    assert restore(model, noise(4, 9, 11)).shape == (3, 18, 22)
    assert restore(model, np.zeros((9, 11, 4), np.uint16)).shape == (18, 22, 3)
    with pytest.raises(ValueError, match=r"got an image with 1 channels; this network takes 4, or these with transparency"):
        restore(model, noise(1, 9, 11))


def test_strength_needs_a_result_like_the_image():
    with pytest.raises(OptionError, match=r"strength must be 1 for this network: its result \(3 channels, 2 x the size\)"):
        restore(compose(TWICE), noise(3, 8, 8), strength=0.5)


def test_patches_and_local_pooling_fit_other_outputs():
    model = compose(TWICE | {"grids": [[2, 2]], "conditions": ["mask"]})
    assert seamless(local_pooling(model, 16))(noise(1, 4, 8, 8)).shape == (1, 3, 16, 16)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"output": {"scale": 2}}, r"head: ResidualHead cannot restore .* at scale 2 from .*; choose 'direct' .* 'pixel_shuffle'"),
        (
            {"image_channels": 6, "output": {"channels": 3}},
            r"head: ResidualHead cannot restore an image of 3 channels .* of 6 channels",
        ),
        ({"output": {"scale": 4}, "head": "pixel_shuffle"}, r"head: PixelShuffleHead .* \(it gives 3 channels at scale 2\)"),
        (BURST | {"supervise": "sam"}, r"supervise: SupervisedAttentionModule .*'none', 'sam' or 'plain' with of=\[...\]"),
        ({"head": "pixel_shuffle"}, r"head: PixelShuffleHead cannot restore .* at scale 1 .* \(it gives 3 channels at scale 2\)"),
        ({"output": {"scale": 0}}, "output: channels and scale of an output must be at least 1; got None and 0"),
        ({"conditions": ["mask", {"name": "no name"}]}, r"conditions\[1\]: a condition needs a name such as noise_level"),
        ({"head": "image"}, "head: features of 4 channels cannot be an image of 3; choose 'residual_head' instead"),
        ({"conditions": ["mask", "mask"]}, r"conditions have the names \['mask', 'mask'\]; give each another one"),
    ],
)
def test_images_that_do_not_fit_are_refused(change, words):
    with pytest.raises(WiringError, match=words):
        compose({"stages": [UNET]} | change)


# ---- conditions


def test_conditions_are_filled_in():
    """The network sees them after the image, in its units; a map is cut into tiles as the image is."""
    model = compose(NOISE_MAP | {"stem": {"name": "conv", "kernel_size": 1}})
    image, level = noise(3, 40, 70), noise(40, 70, seed=1) * 50
    for value in (25, level):
        given = model.with_conditions(image[None], {"noise_level": value})
        assert torch.equal(given[0, 3], torch.as_tensor(value / 255).expand(40, 70))
        wanted = model(given)[0].clamp(0, 1)
        assert torch.allclose(restore(model, image, noise_level=value), wanted, atol=1e-6)
        tiled = restore(model, image, InferenceOptions(condition={"noise_level": value}, tile=32, overlap=8))
        assert (tiled - wanted).abs().mean() < 0.05
    assert not torch.equal(restore(model, image, noise_level=0), restore(model, image, noise_level=50))


def test_conditions_are_exempt_from_the_range_but_not_from_being_there():
    model = compose({"stages": [UNET], "conditions": ["depth", {"name": "flow", "channels": 2}]})
    assert model.conditions == (Condition("depth"), Condition("flow", channels=2))
    image = noise(1, 3, 8, 8)
    assert model(model.with_conditions(image, {"depth": 1000, "flow": torch.zeros(2, 8, 8)})).shape == image.shape
    with pytest.raises(ValueError, match=r"takes images with 3 channels and 3 of conditions \(see with_conditions\); got 3"):
        model(image)
    with pytest.raises(OptionError, match="condition flow is missing; this network takes the conditions depth, flow: give flow="):
        restore(model, image, depth=3)
    with pytest.raises(OptionError, match=r"condition depth must be a number, or a map of 1 x 8 x 8, .* got shape \(1, 1, 4, 8\)"):
        restore(model, image, depth=torch.zeros(4, 8), flow=0)
    with pytest.raises(OptionError, match="noise_level is not for this network, which does not take the condition noise_level"):
        restore(model, image, depth=3, flow=0, noise_level=25)
    with pytest.raises(TypeError, match="mask"):
        restore(model, image, depth=3, flow=0, mask=1)


def test_a_noise_level_is_an_option_and_may_be_a_map():
    model = compose({"stages": [UNET], "conditions": [{"name": "noise_level", "unit": 255}]})
    image = noise(1, 3, 8, 8)
    wanted = restore(model, image, condition={"noise_level": 25})
    for told in (25, 25.0, torch.full((8, 8), 25.0)):
        assert torch.equal(restore(model, image, noise_level=told), wanted)
    assert torch.equal(Restorer(model, InferenceOptions(noise_level=25))(image), wanted)
    assert not torch.equal(restore(model, image, noise_level=50), wanted)
    with pytest.raises(OptionError, match="noise_level is given twice: 25 and condition"):
        InferenceOptions(noise_level=25, condition={"noise_level": 50})


# ---- stages that run again


class Counter(Stage):
    """Adds one to its state in each run; the image shows how often it ran."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.spec = StageSpec((Level(6),), encoder=(Level(3),), decoder=(Level(3),), guidance=(Level(3),))

    def encode(self, inputs, guidance):
        return (guidance[0] + self.scale,)

    def decode(self, encoded):
        return encoded


def test_a_state_travels_from_run_to_run():
    stage = Counter()
    model = MultiStage([stage] * 3, stem="repeat", join="stack", supervise="feedback", fuse="state", head="image")
    assert list(model.state_dict()) == ["stages.0.scale"]
    image = noise(2, 3, 5, 7)
    for i, restored in enumerate(model.forward_stages(image)):
        assert torch.equal(restored, image + i + 1)
    check_model(model)
    (alone,) = MultiStage([stage], stem="repeat", head="image", guided_by=[[]]).forward_stages(image)
    assert torch.equal(alone, image + 1)


def test_a_stage_that_runs_again_is_one_stage():
    model = compose(RECURRENT)
    stage = model.stages[0]
    assert model.runs == (stage,) * 3
    assert len(model.stages) == 1
    names = [name for name, _ in model.named_parameters()]  # each once
    assert sum(name.startswith("supervisors") for name in names) == 3
    texts = [shape.text for shape in wiring(model).shapes if isinstance(shape, Label)]
    assert "Stage 3: unet, as stage 1" in texts
    assert MultiStage([stage, stage], supervise=Shared("sam")).config == {
        "stages": ["@step", "@step"],
        "supervise": "@supervise",
        "shared": {"step": UNET | {"guided": True}, "supervise": "sam"},
    }


def test_a_shared_block_is_one_for_each_width():
    model = compose({"stages": [UNET | {"block": "@cab"}, UNET | {"block": "@cab", "widths": [8]}], "shared": {"cab": "cab"}})
    fine, coarse = model.stages[0].encoders
    assert fine[0] is not coarse[0]
    assert coarse[0] is model.stages[1].decoders[0][0]


def test_ties_made_by_hand_are_found_when_saving(tmp_path):
    model = MultiStage([UNetStage((4, 8)), UNetStage((4, 8))])
    model.stages[1].decoders[0] = model.stages[0].decoders[0]
    with pytest.raises(CheckpointError, match=r"stages.1.decoders.0.\S+ is the same tensor as stages.0.decoders.0.\S+, .*Shared"):
        save_weights(model, tmp_path / "weights.safetensors")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("shared", "use", "words"),
    [
        ({"act": "naf"}, "@act", r"shared\.act: unknown activation 'naf'"),
        ({"act": {"name": "orb", "block": "@act"}}, None, r"shared: act contain each other; a part cannot contain itself"),
        (
            {"act": "prelu", "further": {"name": "cab", "act": "@atc"}},
            "@act",
            r"shared\.further\.act: '@atc' is not under 'shared'",
        ),
        ({"act": "prelu", "further": {"name": "orb", "block": "@act"}}, "@act", r"shared\.act is used as a part of two kinds"),
    ],
)
def test_shared_parts_that_do_not_fit_are_refused(shared, use, words):
    with pytest.raises(ConfigError, match=words):
        compose({"stages": [UNET | ({"block": {"name": "cab", "act": use}} if use else {})], "shared": shared})


# ---- concatenating U-Nets


def test_the_unet_of_restormer_is_a_declaration():
    """Widths and parameters as published, counted for a small one: the finest decoder level has twice the width, without a 1x1."""
    stage = UNetStage(
        (8, 16, 32),
        [{"name": "restormer", "num_heads": heads} for heads in (1, 2, 4)],
        encoder_blocks=(1, 1, 1),
        decoder_blocks=(2, 1, 0),
        decoder_widths=(16, 16, 32),
        merge="concat",
        skip="identity",
        downsample="pixel_unshuffle",
        upsample={"name": "pixel_shuffle", "kernel_size": 3},
    )
    check_stage(stage)
    assert stage.spec.decoder == (Level(16, 1), Level(16, 2), Level(32, 4))
    assert [name for name, _ in stage.merges.named_parameters()] == ["1.conv.weight"]
    assert stage.merges[1].conv.weight.shape == (16, 32, 1, 1)
    assert [down.conv.weight.shape for down in stage.downs] == [(4, 8, 3, 3), (8, 16, 3, 3)]
    assert [up.conv.weight.shape for up in stage.ups] == [(32, 16, 3, 3), (64, 32, 3, 3)]


def test_a_merge_concatenates_the_risen_features_first():
    stage = UNetStage((4, 8), "identity", merge="concat", decoder_widths=(8, 8), skip="identity")
    fine, coarse = noise(1, 4, 8, 8), noise(1, 8, 4, 4)
    decoded, _ = stage.decode((fine, coarse))
    assert torch.equal(decoded[:, 4:], fine)
    assert torch.equal(decoded[:, :4], stage.ups[0](coarse))


def test_a_shortcut_adds_the_inputs_to_the_finest_features():
    torch.manual_seed(0)
    stage = UNetStage((4, 8), shortcut="conv")
    x = noise(1, 4, 8, 8)
    encoded, decoded = stage((x,))
    assert torch.equal(encoded[0], x)
    nn.init.zeros_(stage.shortcuts[0].weight)
    assert not torch.equal(stage((x,))[1][0], decoded[0])
    check_stage(UNetStage((4, 8), shortcut="conv", guided=True))


def test_bias_free_normalisation_keeps_the_mean():
    """x / sqrt(var + eps), the variance about the mean, computed here in another way."""
    x = noise(2, 8, 3, 5).double()
    norm = BiasFreeLayerNorm(8).double()
    nn.init.uniform_(norm.weight)
    wanted = (x / (x.std(dim=1, correction=0, keepdim=True) ** 2 + 1e-5) ** 0.5).permute(0, 2, 3, 1) * norm.weight
    assert torch.allclose(norm(x), wanted.permute(0, 3, 1, 2), atol=1e-12)
    assert [name for name, _ in norm.named_parameters()] == ["weight"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"decoder_widths": [4, 6]},
            r"decoder_widths must be 2 numbers, one for each level, the last 8 as in the encoder; got \(4, 6\)",
        ),
        ({"decoder_widths": [8, 8]}, "features of 4 channels cannot be added to 8 channels; choose merge='concat'"),
        ({"widths": [4, 6], "downsample": "pixel_unshuffle"}, "pixel_unshuffle gives multiples of 4 channels; got the width 6"),
    ],
)
def test_widths_that_do_not_fit_are_refused(change, words):
    with pytest.raises(WiringError, match=rf"stages\[0\] \(unet\): {words}"):
        compose({"stages": [UNET | change]})


# ---- lists, coarse outputs, dense guidance


def test_coarse_images_that_no_stage_needs_are_supervised():
    model = compose(DENSE)
    image = noise(1, 3, 8, 8)
    assert [restored.shape[-1] for restored in model.forward_stages(image)] == [4, 8, 8, 4, 8]
    assert [restored.shape[-1] for restored in model.forward_stages(image, coarse=False)] == [8, 8, 8]
    assert model.heads[0].to_image.bias is None
    assert model.coarse_heads[2][0].to_image.bias is not None  # the second of the list: the second scale


def test_guidance_of_several_stages_is_added_up():
    model = compose(DENSE | {"grids": [[1, 1]] * 3}).eval()
    seen = {}
    for name, module in (("all", model.stages[2]), ("0", model.fusions[1][0]), ("1", model.fusions[1][1])):
        module.register_forward_hook(lambda module, inputs, output, name=name: seen.update({name: (inputs, output)}))
    model(noise(1, 3, 8, 8))
    for given, first, second in zip(seen["all"][0][1], seen["0"][1], seen["1"][1], strict=True):
        assert torch.equal(given, first + second)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"supervise": ["sam"]}, "supervise is a list of 1 parts, but there are 2 places between two stages; give one for each"),
        ({"head": ["residual_head"]}, "head is a list of 1 parts, but there are 2"),
        ({"guided_by": [[], [1], [0]]}, r"guided_by lists \[1\] for stage 2 \(UNetStage\); these must be .* from 0 to 0"),
        ({"guided_by": [[0], [], []]}, r"guided_by lists \[0\] for stage 1 .*; these must be .* and the first has none"),
        ({"guided_by": [[]]}, "guided_by must be 3 lists of numbers, one for each stage"),
        ({"supervised_at": [[2], [1], [1]]}, r"supervised_at lists the strides \[2\] for stage 1 .* must include \[1\]"),
        (
            {"supervised_at": [[1, 8], [1], [1]]},
            r"supervised_at lists .* among those of its decoder \(4 at stride 1, 8 at stride 2\)",
        ),
        ({"supervise": "none"}, r"supervised_at asks for coarse images of stage 1 .* not supervised at full size"),
    ],
)
def test_lists_that_do_not_fit_are_refused(change, words):
    with pytest.raises(WiringError, match=words):
        compose(DENSE | change)


def test_guidance_for_a_stage_that_takes_none_is_refused():
    with pytest.raises(
        WiringError, match=r"guided_by lists \[0\] for stage 2 .*, which takes no guidance; build it with guided=True"
    ):
        compose({"stages": [UNET, UNET], "guided_by": [[], [0]]})


def test_a_recurrence_is_published_and_loaded_again(tmp_path):
    model = compose(RECURRENT)
    model.save_pretrained(tmp_path)
    again = restorekit.create_model(f"local-dir:{tmp_path}", pretrained=True)
    assert again.config == RECURRENT
    image = noise(1, 3, 8, 8)
    assert torch.equal(again(image), model(image))
    assert len(list(again.parameters())) == len(list(model.parameters()))


def test_a_recurrence_can_be_exported():
    model = compose(RECURRENT | NOISE_MAP | {"stages": ["@step", "@step"]}).eval()
    image = noise(1, 4, 8, 12)
    program = torch.export.export(model, (image,))
    assert torch.allclose(program.module()(image), model(image), atol=1e-6)
