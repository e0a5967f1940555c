"""What holds for any network that is composed, and for any that is not valid; the networks are drawn at random, as data."""

import json
import math
import sys

import pytest
import torch
from hypothesis import assume, example, given
from hypothesis import strategies as st
from torch import nn

from _helpers import HALF
from restorekit import WiringError, compose
from restorekit.blocks import AddGuidance, ChannelAttentionBlock, Downsample, Upsample
from restorekit.checkpoints import load_weights, save_weights
from restorekit.network import RestorationNetwork
from restorekit.parts import _registry as registry
from restorekit.stages import Level, MultiStage, Stage, StageSpec, UNetStage
from restorekit.testing import check_model, check_stage, compositions

FINE, COARSE = Level(4), Level(4, 2)
ORSNET = {"name": "orsnet", "width": 4, "num_orbs": 1, "num_blocks": 1}
# Decoding on finer patches than encoding: the coarsest level must divide into the patches of the next stage.
FINER_PATCHES = {"stages": [{"name": "unet", "widths": [4, 5, 6], "num_blocks": 1}, ORSNET], "grids": [[1, 1], [2, 2]]}


class TwoScales(Stage):
    """In the manner of MAXIM: starts from the image at two scales, and gives features at both."""

    def __init__(self, width: int, *, guided: bool = False) -> None:
        super().__init__()
        self.fine, self.coarse = ChannelAttentionBlock(width), ChannelAttentionBlock(width)
        self.down, self.up = Downsample(width, width), Upsample(width, width)
        self.guide = AddGuidance(width)
        levels = (Level(width, 1), Level(width, 2))
        self.spec = StageSpec(inputs=levels, encoder=levels, decoder=levels, guidance=levels if guided else ())

    def encode(self, inputs, guidance):
        fine, coarse = inputs
        fine = self.fine(fine)
        encoded = (fine, self.coarse(coarse + self.down(fine)))
        return tuple(map(self.guide, encoded, guidance)) if guidance else encoded

    def decode(self, encoded):
        fine, coarse = encoded
        return fine + self.up(coarse), coarse


class Stub(Stage):
    """A stage that is nothing but a declaration, and a faulty one."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.spec, _ = STUBS[fault]

    def encode(self, inputs, guidance):
        raise NotImplementedError

    def decode(self, encoded):
        raise NotImplementedError


STUBS = {
    "inputs at stride 2": (StageSpec((COARSE,), (FINE,), (FINE,)), r"declares inputs \(4 at stride 2\).* the finest at stride 1"),
    "two equal inputs": (StageSpec((FINE, FINE), (FINE,), (FINE,)), r"declares inputs .*; it must start from levels of different"),
    "no encoder": (StageSpec((FINE,), (), (FINE,)), "empty encoder pyramid; encode must return at least one level"),
    "decoder at stride 2": (StageSpec((FINE,), (FINE,), (COARSE,)), r"declares decoder \(4 at stride 2\).*finest .* stride 1"),
    "no decoder": (StageSpec((FINE,), (FINE,), ()), "declares decoder .*finest level must have stride 1"),
}


@pytest.fixture
def _own_stages(monkeypatch):
    """Registers the stages above, while a test runs."""
    monkeypatch.setattr(registry.stages, "_entries", registry.stages._entries | {"two_scales": TwoScales, "stub": Stub})


own_stages = pytest.mark.usefixtures("_own_stages")


def noise(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


# ---- valid networks


@HALF
@given(config=compositions())
@example(config=FINER_PATCHES)
def test_any_composition_is_a_network(config, tmp_path):
    """Shapes, gradients and independence of samples are in check_model; config and weights come back from files."""
    torch.manual_seed(0)
    model = compose(config)
    check_model(model)
    image = noise(1, model.input_channels, model.size_multiple, model.size_multiple)
    restored = model.forward_stages(image)
    side, declared = model.size_multiple, config.get("output", {"channels": model.image_channels, "scale": 1})
    whole = (1, declared["channels"], side * declared["scale"], side * declared["scale"])
    supervise = config.get("supervise", "sam")
    supervise = supervise if isinstance(supervise, list) else [supervise] * (len(config["stages"]) - 1)
    assert [x.shape for x in restored].count(whole) == len(config["stages"]) - supervise.count("none")

    (tmp_path / "network.json").write_text(json.dumps(model.config))
    save_weights(model, tmp_path / "weights.safetensors")
    other = load_weights(compose(tmp_path / "network.json"), tmp_path / "weights.safetensors")
    assert other.config == model.config
    assert len(list(other.parameters())) == len(list(model.parameters()))
    assert torch.equal(other(image), restored[-1])


@HALF
@given(config=compositions(), rows=st.integers(1, 30), cols=st.integers(1, 30))
def test_sizes_that_are_no_multiples_are_refused_with_the_size_to_pad_to(config, rows, cols):
    model = compose(config)
    multiple = model.size_multiple
    assume(rows % multiple or cols % multiple)
    padded = f"{math.ceil(rows / multiple) * multiple}x{math.ceil(cols / multiple) * multiple}"
    with pytest.raises(
        ValueError, match=f"got {rows}x{cols};.* multiples of {multiple}; pad to {padded}, or call restorekit.restore"
    ):
        model(noise(1, model.input_channels, rows, cols))


@pytest.mark.usefixtures("unchecked_annotations")
@HALF
@given(config=compositions())
@example(config=FINER_PATCHES)
def test_size_multiple_is_the_least_that_works(config):
    """Without the check of the size, an image that lacks one prime factor of the multiple cannot be computed."""
    model = compose(config)
    multiple = model.size_multiple
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RestorationNetwork, "check_image", lambda self, image: None)
        for prime in (prime for prime in (2, 3) if multiple % prime == 0):
            side = multiple + multiple // prime
            with pytest.raises(RuntimeError):  # of einops or of an addition: the words do not matter
                model(noise(1, model.input_channels, side, side))


def test_size_multiple_counts_the_grid_that_a_stage_decodes_on():
    assert compose(FINER_PATCHES).size_multiple == 8


def test_size_multiple_counts_the_grid_that_a_stage_guides_on():
    """The first stage has stride 4 at its coarsest, and guides the last, whose patches are a third as high."""
    unet = {"name": "unet", "num_blocks": 1}
    stages = [unet | {"widths": [4, 5, 6]}, unet | {"widths": [4]}, unet | {"widths": [4], "guided": True}]
    model = compose({"stages": stages, "grids": [[1, 1], [1, 1], [3, 1]], "guided_by": [[], [], [0, 1]]})
    assert model.size_multiple == 12
    check_model(model)


def test_compositions_of_ones_own_blocks():
    drawn = []

    @given(config=compositions(blocks=["hin"], max_stages=1))
    def draw(config):
        drawn.append(config)

    draw()
    assert {len(config["stages"]) for config in drawn} == {1}
    stages = [config.get("shared", {}).get("step", stage) for config in drawn for stage in config["stages"]]
    blocks = [stage.get("block", "hin") for stage in stages]
    assert {name for block in blocks for name in ([block] if isinstance(block, str) else block)} == {"hin"}


def test_compositions_say_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with pytest.raises(ImportError, match="pip install hypothesis"):
        compositions()


# ---- several scales


UNET = {"name": "unet", "widths": [4, 6, 8], "num_blocks": 1}
TWO_SCALES = {"name": "two_scales", "width": 4}
SEVERAL_SCALES = {
    "alone": ([TWO_SCALES], [2, 1]),
    "before a U-Net": ([TWO_SCALES, UNET], [1, 1]),
    "after a U-Net": ([UNET, TWO_SCALES | {"guided": True}], [2, 1, 2, 1]),
    "before and after a U-Net": ([TWO_SCALES, UNET, TWO_SCALES], [1, 2, 1, 2, 1]),
    "in a row": ([TWO_SCALES, TWO_SCALES | {"guided": True}], [2, 1, 2, 1]),
}


@own_stages
@pytest.mark.parametrize("place", SEVERAL_SCALES)
@pytest.mark.parametrize("supervise", ["sam", "none"])
def test_a_stage_of_several_scales(place, supervise):
    """It is fed, and supervised, at each of its scales, coarse before fine; so is the stage before it."""
    stages, strides = SEVERAL_SCALES[place]
    model = compose({"stages": stages, "supervise": supervise, "grids": [[1, 2]] * len(stages), "scale_mode": "nearest"})
    check_model(model)
    assert compose(model.config).config == model.config
    restored = model.forward_stages(noise(1, 3, 16, 16))
    wanted = strides if supervise == "sam" else strides[-len(model.heads) :]
    assert [16 // x.shape[-1] for x in restored] == wanted


@own_stages
def test_the_stage_of_two_scales_is_what_it_declares():
    check_stage(TwoScales(4))
    check_stage(TwoScales(4, guided=True))


# ---- networks that are not valid: one thing about a valid one is changed


def at(draw, config, first=0):
    """Draw the place of a stage."""
    assume(len(config["stages"]) > first)
    return draw(st.integers(first, len(config["stages"]) - 1))


def num_levels(stage):
    return stage["num_orbs"] if stage["name"] == "orsnet" else len(stage["widths"]) + (stage.get("shortcut") is not None)


def no_width(draw, config):
    i = at(draw, config)
    stage = config["stages"][i]
    if stage["name"] == "orsnet":
        stage["width"] = 0
    else:
        stage["widths"][draw(st.integers(0, len(stage["widths"]) - 1))] = 0
    return rf"stages\[{i}\] \(\w+\): a convolution needs at least one input and one output channel; got .*0"


def no_levels(draw, config):
    i = at(draw, config)
    config["stages"][i] = {"name": "unet", "widths": []}
    return rf"stages\[{i}\] \(\w+\): widths is empty; a U-Net needs at least one level, such as widths="


def width_that_heads_do_not_divide(draw, config):
    i = at(draw, config)
    config["stages"][i] = {"name": "orsnet", "width": 6, "block": {"name": "restormer", "num_heads": 4}}
    return rf"stages\[{i}\] \(\w+\): num_heads must divide the width; got 4 heads for width 6"


def missing_level(draw, config):
    i = at(draw, config, first=1)
    levels = num_levels(config["stages"][i - 1])
    config["stages"][i] = {"name": "unet", "widths": [4] * (levels + 1), "guided": True}
    config.pop("fuse", None)
    return (
        rf"between stage {i} \(.*\) and stage {i + 1} \(UNetStage\): .*{levels + 1} levels of guidance are needed .*, but the "
        rf"source's encoder has {levels} .*; give the source more levels, or the next stage fewer"
    )


def guided_first_stage(draw, config):
    config["stages"][0] = {"name": "unet", "widths": [4, 6], "guided": True}
    return (
        r"stage 1 \(UNetStage\) declares guidance \(4 at stride 1, 6 at stride 2\), but there is no stage before it; build it with "
        "guided=False"
    )


def guidance_without_fusion(draw, config):
    i = at(draw, config, first=1)
    for stage in config["stages"]:
        stage.pop("guided", None)
    config["stages"][i] = {"name": "unet", "widths": [4], "guided": True}
    config["fuse"] = "none"
    return rf"between stage {i} .* and stage {i + 1} .*: the next stage needs guidance .*; build that stage with guided=False, or"


def grids_of_another_number(draw, config):
    count, stages = draw(st.integers(0, 6)), len(config["stages"])
    assume(count != stages)
    config["grids"] = [[1, 1]] * count
    return rf"grids must be a list of {stages} \(rows, columns\), one for each stage; got {count}"


def grid_without_patches(draw, config):
    i = at(draw, config)
    rows, cols = draw(st.sampled_from([(0, 1), (2, 0), (-1, 2)]))
    config["grids"] = [[1, 1] for _ in config["stages"]]
    config["grids"][i] = [rows, cols]
    return rf"grid of stage {i + 1} .*\(rows, columns\), both at least 1; got \[{rows}, {cols}\]"


def no_image_channels(draw, config):
    config["image_channels"] = 0
    return "image_channels must be at least 1; got 0"


def wrong_scale(draw, config):
    i = at(draw, config)
    config["stages"][i:] = [{"name": "orsnet", "width": 4, "num_blocks": 1}, {"name": "two_scales", "width": 4}]
    config.pop("grids", None)
    return (
        rf"stage {i + 2} \(TwoScales\) declares inputs .*, but the decoder of stage {i + 1} \(ORSNetStage\) gives .*: there is "
        rf"nothing to restore at stride 2; give stage {i + 1} .* a decoder level of that stride, or stage {i + 2} .* fewer inputs"
    )


def declaration_that_cannot_be(draw, config):
    i, fault = draw(st.integers(0, len(config["stages"]))), draw(st.sampled_from(sorted(STUBS)))
    config["stages"].insert(i, {"name": "stub", "fault": fault})
    config.pop("grids", None)
    return rf"stage {i + 1} \(Stub\) .*{STUBS[fault][1]}"


MUTATIONS = [
    no_width,
    no_levels,
    width_that_heads_do_not_divide,
    missing_level,
    guided_first_stage,
    guidance_without_fusion,
    grids_of_another_number,
    grid_without_patches,
    no_image_channels,
    wrong_scale,
    declaration_that_cannot_be,
]


@own_stages
@pytest.mark.parametrize("mutate", MUTATIONS, ids=lambda mutate: mutate.__name__)
@HALF
@given(config=compositions(max_stages=3), data=st.data())
def test_any_invalid_mutation_is_refused_with_its_place_and_what_to_do(mutate, config, data):
    assume("@step" not in config["stages"])
    for key in ("guided_by", "supervised_at", "output", "head", "supervise"):
        config.pop(key, None)
    words = mutate(data.draw, config)
    with pytest.raises(WiringError, match=words):
        compose(config)


class Silent(Stub):
    """A stage that declares nothing."""

    def __init__(self):
        Stage.__init__(self)


@pytest.mark.usefixtures("unchecked_annotations")
@pytest.mark.parametrize(
    ("stages", "words"),
    [
        ([], "there are no stages; a network needs at least one"),
        (UNetStage((4,)), r"stages must be a list of stages, such as \[UNetStage\(\(48, 72, 96\)\)\]; got a UNetStage"),
        ("unet", "stages must be a list of stages, .*; got a str"),
        ([UNetStage((4,)), "unet"], "stage 2 is unet; it must be an instance of a stage class, such as"),
        ([UNetStage], "stage 1 is <class .*UNetStage'>; it must be an instance of a stage class, such as"),
        ([nn.Identity()], "stage 1 is a Identity; it must be"),
        ([Silent()], r"stage 1 \(Silent\) does not declare its inputs and outputs; set self.spec = StageSpec"),
    ],
)
def test_what_is_no_list_of_stages_is_refused(stages, words):
    with pytest.raises(WiringError, match=words):
        MultiStage(stages)


@pytest.mark.usefixtures("unchecked_annotations")
def test_a_grid_that_is_no_pair_is_refused():
    with pytest.raises(WiringError, match=r"grid of stage 1 \(UNetStage\) must be \(rows, columns\), both at least 1; got 2"):
        MultiStage([UNetStage((4,)), UNetStage((4,))], grids=[2, 2])


@pytest.mark.parametrize("role", ["stem", "join", "supervise", "head"])
def test_an_error_of_a_connector_names_its_role(role):
    def refuse(*arguments: int) -> nn.Module:
        raise ValueError(f"not with {arguments}")

    with pytest.raises(WiringError, match=rf"^{role}: not with \("):
        MultiStage([UNetStage((4,)), UNetStage((4,))], **{role: refuse})
