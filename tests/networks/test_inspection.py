"""What an inspection says of a network is what the network does; pictures show what is there."""

import copy
import functools
import json
import re
import runpy
from functools import partial
from xml.etree import ElementTree

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from typer.testing import CliRunner

from _helpers import DOCS
from _helpers.descriptors import SMALL_HINET, SMALL_MPRNET, SMALL_NAFNET
from _helpers.marks import mostly_nightly
from restorekit.blocks import AddJoin, conv
from restorekit.cli import app
from restorekit.composition import json_schema
from restorekit.inspection import draw, inspect_model, peak_memory, time_parts, to_svg, wiring
from restorekit.models import create_model
from restorekit.stages import HINetStage, Level, MultiStage, ORSNetStage, Stage, StageSpec, TimmUNetStage, UNetStage

pytestmark = pytest.mark.usefixtures("unchecked_annotations")


# GMACs of the convolutions at 256 x 256: Zamir et al., CVPR 2021, in the order of the paper.
PUBLISHED = {
    "mprnet_deblur": (759.4, [109.2, 122.2, 528.0]),
    "mprnet_denoise": (572.9, None),
    "mprnet_derain": (141.0, None),
}


class Scales(Stage):
    """One convolution at each of three scales, in and out."""

    def __init__(self, *, guided: bool = False) -> None:
        super().__init__()
        levels = tuple(Level(4 + 2 * i, 2**i) for i in range(3))
        self.convs = nn.ModuleList(conv(level.width, level.width) for level in levels)
        self.spec = StageSpec(levels, levels, levels, levels if guided else ())

    def encode(self, inputs, guidance):
        encoded = tuple(convolve(x) for convolve, x in zip(self.convs, inputs, strict=True))
        return tuple(x + y for x, y in zip(encoded, guidance, strict=True)) if guidance else encoded

    def decode(self, encoded):
        return encoded


def five_stages():
    return MultiStage(
        [
            UNetStage((4, 6, 8)),
            UNetStage((4, 6, 8), guided=True, guide="gate"),
            HINetStage((4, 8), guided=True),
            ORSNetStage(6, num_orbs=2, num_blocks=1),
            ORSNetStage(4, num_orbs=1, num_blocks=1, guided=True),
        ],
        grids=[(4, 2), (2, 2), (1, 2), (2, 1), (1, 1)],
        fuse="concat",
        supervise="plain",
    )


NETWORKS = {
    "mprnet": partial(create_model, "mprnet", **SMALL_MPRNET),
    "hinet": partial(create_model, "hinet", **SMALL_HINET),
    "nafnet": partial(create_model, "nafnet", **SMALL_NAFNET),
    "transformer": lambda: MultiStage([UNetStage((8, 12), "restormer")]),
    "five stages": five_stages,
    "three scales": lambda: MultiStage([Scales(), Scales(guided=True)]),
    "unsupervised": lambda: MultiStage([UNetStage((4, 6)), UNetStage((4, 6))], supervise="none"),
    "timm": lambda: MultiStage([TimmUNetStage("test_resnet", 8, num_blocks=1), UNetStage((4, 6))]),
}
every_network = pytest.mark.parametrize("name", NETWORKS)


@functools.cache
def network(name):
    """Return a network, which no test changes, and what an inspection says of it."""
    model = NETWORKS[name]()
    return model, inspect_model(model, (2 * model.size_multiple, 4 * model.size_multiple))


def flops(model, size, **kwargs):
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.forward_stages(torch.zeros(1, model.image_channels, *size, device="meta"), **kwargs)
    return counter.get_total_flops()


@mostly_nightly("name", PUBLISHED, {"mprnet_deblur"})
def test_macs_are_those_published(name):
    with torch.device("meta"):
        found = inspect_model(create_model(name), (256, 256))
    whole, stages = PUBLISHED[name]
    assert round(found.published_macs / 1e9, 1) == whole
    if stages:
        macs = [sum(part.published_macs for part in found.parts if part.stage == i + 1) for i in range(3)]
        assert [round(value / 1e9, 1) for value in macs] == stages


@every_network
def test_parts_make_up_what_fewer_and_all_stages_compute(name):
    model, found = network(name)
    size = (2 * model.size_multiple, 4 * model.size_multiple)
    assert found.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert found.size_multiple == model.size_multiple
    assert not any(parameter.is_meta for parameter in model.parameters())
    model = copy.deepcopy(model).to("meta")
    skipped = len(model.stages) - model.num_supervised
    for stages in sorted({1, min(2, model.num_supervised), model.num_supervised}):
        macs = sum(part.macs for part in found.parts if part.stage <= stages + skipped)
        assert 2 * macs == flops(model, size, stages=stages)


def test_connectors_that_differ_between_scales_are_all_named():
    joins = ["add", {"name": "concat", "kernel_size": 1}, AddJoin]
    found = inspect_model(MultiStage([Scales(), Scales()], join=joins), (8, 8))
    assert [part.kind for part in found.parts if part.role == "join"] == ["add, concat"]


def test_the_first_stage_of_mprnet_costs_a_seventh():
    with torch.device("meta"):
        model = create_model("mprnet_deblur")
    assert flops(model, (64, 64), stages=1) / flops(model, (64, 64)) == pytest.approx(0.1435, abs=1e-3)


def test_a_resizing_up_is_counted_after_its_convolution_and_before_it():
    model = MultiStage([UNetStage((4, 6), "identity")])
    found = inspect_model(model, (16, 16))
    down, up = 8 * 8 * 4 * 6, 8 * 8 * 6 * 4
    (stage,) = (part for part in found.parts if part.role == "stage")
    assert (stage.macs, stage.published_macs) == (down + up, down + 4 * up)


def test_peak_memory_grows_with_the_image_and_holds_the_weights():
    model = create_model("nafnet", **SMALL_NAFNET)
    weights = 4 * sum(parameter.numel() for parameter in model.parameters())
    small, large = (peak_memory(model, (side, side)) - weights for side in (32, 64))
    assert small >= 4 * 32 * 32 * (3 + 2 * 4)  # at least the image and some features at full resolution
    assert large == pytest.approx(4 * small, rel=0.01)
    assert peak_memory(model.half(), (32, 32)) == small + weights


def test_times_are_measured_part_by_part():
    model = create_model("nafnet", **SMALL_NAFNET)
    found = inspect_model(model)
    timed = time_parts(model, found, (8, 8), runs=2)
    assert found.seconds is None
    assert timed.time_size == (8, 8)
    assert all(part.seconds > 0 for part in timed.parts)
    assert timed.seconds == sum(part.seconds for part in timed.parts)


def test_a_size_that_does_not_fit_is_refused():
    model, found = network("mprnet")
    for look in (inspect_model, lambda model, size: time_parts(model, found, size)):
        with pytest.raises(ValueError, match="size 30x40: height and width must be multiples of 8; the next is 32x40"):
            look(model, (30, 40))


def texts(model):
    tree = ElementTree.fromstring(to_svg(wiring(model)))
    return [element.text for element in tree.iter("{http://www.w3.org/2000/svg}text")]


@every_network
def test_a_picture_names_every_part(name):
    model, found = network(name)
    shown = texts(model)
    for part in found.parts:
        assert any(re.fullmatch(rf"(Stage \d: )?{part.kind}( x \d)?", text) for text in shown), part.kind
        if part.role == "stage":
            for width, stride in part.levels[0] + part.levels[1]:
                assert (str(width) if stride == 1 else f"{width} at 1/{stride}") in shown
    assert sum(text.startswith("restored") for text in shown) == model.num_supervised - 1
    assert shown.count("result") == 1
    assert shown.count("fuse") == sum(bool(stage.spec.guidance) for stage in model.stages)


def test_a_picture_shows_the_grids():
    shown = texts(five_stages())
    for text in ("8 patches, 4 x 2", "4 patches, 2 x 2", "2 patches, 1 x 2", "2 patches, 2 x 1", "the whole image"):
        assert text in shown
    assert shown.count("regrid") == 4
    assert "regrid" not in texts(create_model("hinet", **SMALL_HINET))


@every_network
def test_shapes_lie_on_the_sheet(name):
    sheet = wiring(network(name)[0], "A title")
    for shape in sheet.shapes:
        points = getattr(shape, "points", None) or [(shape.x, shape.y)]
        assert all(0 <= x <= sheet.width and 0 <= y <= sheet.height for x, y in points), shape


def test_pictures_are_written(tmp_path):
    model = create_model("mprnet", **SMALL_MPRNET)
    draw(model, tmp_path / "wiring.svg", title="a < b & c")
    root = ElementTree.parse(tmp_path / "wiring.svg").getroot()
    assert root.get("aria-label") == "a < b & c"
    colours = {element.get(key) for element in root.iter() for key in ("fill", "stroke")} - {None, "none"}
    assert all(re.fullmatch("#[0-9a-f]{3,6}", colour) for colour in colours)  # what programs other than browsers know, too
    with pytest.raises(ValueError, match=r"wiring\.png: drawings are written as SVG; choose an \.svg file"):
        draw(model, tmp_path / "wiring.png")


def test_pictures_in_the_documentation_are_current(tmp_path):
    script = runpy.run_path(DOCS / "wirings.py")
    script["main"](tmp_path)
    for picture in script["PICTURES"]:
        drawn = (tmp_path / f"{picture}.svg").read_text()
        assert drawn == (DOCS / "assets" / f"{picture}.svg").read_text(), "run: python docs/wirings.py"


def restorekit(*arguments):
    return CliRunner().invoke(app, ["inspect", *map(str, arguments)])


COMPOSITION = {
    "stages": [{"name": "unet", "widths": [4, 6]}, {"name": "orsnet", "width": 4, "num_orbs": 2, "num_blocks": 1, "guided": True}]
}


@pytest.fixture
def composition(tmp_path):
    path = tmp_path / "network.json"
    path.write_text(json.dumps(COMPOSITION | {"grids": [[2, 1], [1, 1]]}))
    return path


def test_the_command_shows_a_table(composition, tmp_path):
    result = restorekit(composition, "--time", "--draw", tmp_path / "wiring.svg")
    assert result.exit_code == 0, result.output
    rows = {line.split()[0]: line for line in result.output.splitlines() if line}
    assert re.search(r"csff +4, 4 +1x1 ", rows["fuse"])
    assert re.search(r"unet +4, 6/2 +2x1 -> 1x1 ", result.output)
    assert rows["all"].count("100.0 %") == 2
    assert "multiples of 4" in result.output
    assert "at 128x128" in result.output
    assert (tmp_path / "wiring.svg").read_text().startswith("<svg")


def test_the_command_knows_registered_models():
    result = restorekit("mprnet_deblur.gopro")
    assert result.exit_code == 0, result.output
    page = (DOCS / "inspect.md").read_text()
    lines = [line.rstrip() for line in result.output.splitlines() if not line.startswith("Memory")]
    assert "\n".join(lines) in page


def test_the_command_prints_plain_data(composition):
    data = json.loads(restorekit(composition, "--json", "--size", "8x12").output)
    assert data["size"] == [8, 12]
    assert data["macs"] == sum(part["macs"] for part in data["parts"])
    assert [part["kind"] for part in data["parts"] if part["role"] == "stage"] == ["unet", "orsnet"]


def test_the_command_prints_the_schema():
    assert json.loads(restorekit("--schema").output) == json.loads(json.dumps(json_schema()))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "give a composition"),
        (("mprnet_debur",), "unknown model 'mprnet_debur'; did you mean 'mprnet_deblur'"),
        (("mprnet_deblur.rain",), "unknown tag 'rain'"),
        (("missing.toml",), "missing.toml cannot be read"),
        (("network.json", "--size", "6x8"), "size 6x8: height and width must be multiples of 4; the next is 8x8"),
        (("network.json", "--size", "8"), "--size must be height and width"),
        (("network.json", "--draw", "wiring.png"), "drawings are written as SVG"),
        (("broken.json",), "broken.json: stages[0].widht: unknown argument of stage 'unet'; did you mean 'width"),
    ],
)
def test_the_command_says_what_is_wrong(arguments, words, composition, monkeypatch):
    monkeypatch.chdir(composition.parent)
    (composition.parent / "broken.json").write_text('{"stages": [{"name": "unet", "widht": [4]}]}')
    result = restorekit(*arguments)
    assert result.exit_code == 2
    assert words in result.output.replace("\n", "")
