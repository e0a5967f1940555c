"""Networks as data: what comes back is what was put in, and what is wrong is said with its place."""

import copy
import json
from functools import partial

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from torch import nn

import restorekit
from _helpers import DOCS
from _helpers.descriptors import MODELS
from restorekit import ConfigError, WiringError, compose
from restorekit._config import argument_docs
from restorekit.blocks import (
    ChannelAttentionBlock,
    ConcatJoin,
    NAFBlock,
    OriginalResolutionBlock,
    PixelShuffle,
    ResidualHead,
    conv_block,
)
from restorekit.composition import check_config, json_schema, read_config
from restorekit.parts import _registry as registry
from restorekit.stages import HINetStage, MultiStage, ORSNetStage, Stage, StageSpec, UNetStage

UNET = {"name": "unet", "widths": [8, 12]}
EXAMPLES = [*sorted((DOCS / "ablations").glob("*.toml")), DOCS / "assets" / "five_stages.toml"]


def unet_with(**arguments):
    return {"stages": [UNET | arguments]}


def by_names():
    return MultiStage([UNetStage((8, 12), "naf"), ORSNetStage(8, "hin", num_orbs=2, num_blocks=1, guided=True)], fuse="concat")


def by_mappings():
    block = {"name": "cab", "reduction": 2, "act": {"name": "leaky_relu", "negative_slope": 0.2}}
    stages = [
        UNetStage((8, 12), [{"name": "orb", "block": block, "num_blocks": 1}, "naf"]),
        UNetStage((6, 8), block, guided=True, guide="gate"),
    ]
    return MultiStage(stages, grids=[(1, 2), (1, 1)], supervise={"name": "sam", "kernel_size": 3}, join="add", head="residual_head")


def by_factories():
    first = UNetStage((8, 12), ChannelAttentionBlock, skip=nn.Identity, upsample=PixelShuffle, encoder_blocks=(1, 2))
    return MultiStage([first, HINetStage((4, 8, 8), norm_levels=())], grids=[[2, 2], [1, 1]], image_channels=1)


def by_partials():
    act = nn.PReLU(init=0.1)
    block = partial(OriginalResolutionBlock, block=partial(ChannelAttentionBlock, act=act), num_blocks=1)
    stages = [UNetStage((8, 12), block, num_blocks=1), UNetStage((8,), NAFBlock)]
    return MultiStage(
        stages, stem=partial(conv_block, block=partial(ChannelAttentionBlock, act=act)), join=partial(ConcatJoin, bias=True)
    )


def with_two_activations():
    first, second = nn.PReLU(), nn.GELU("tanh")
    blocks = [partial(ChannelAttentionBlock, act=act) for act in (first, second)]
    return MultiStage([UNetStage((8,), block) for block in blocks], supervise="none")


NETWORKS = {network.__name__: network for network in (by_names, by_mappings, by_factories, by_partials, with_two_activations)}
NETWORKS |= {name: partial(descriptor.make, name) for name, descriptor in MODELS.items() if descriptor.variant_of is None}
CONFIGS = {name: make().config for name, make in NETWORKS.items()}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_comes_back_from_its_config(name):
    network = NETWORKS[name]()
    assert network.config == CONFIGS[name]
    other = compose(json.loads(json.dumps(CONFIGS[name])))
    assert other.config == CONFIGS[name]
    assert list(dict(other.named_parameters())) == list(dict(network.named_parameters()))  # so what is shared stays shared
    other.load_state_dict(network.state_dict())
    image = torch.rand(1, network.image_channels, *[2 * network.size_multiple] * 2)
    for restored, wanted in zip(other.forward_stages(image), network.forward_stages(image), strict=True):
        assert torch.equal(restored, wanted)


def test_an_activation_that_parts_share_stays_one():
    config = restorekit.create_model("mprnet_tiny").config
    assert config["shared"] == {"act": "prelu"}
    network = compose(config)
    slopes = {id(module) for module in network.modules() if isinstance(module, nn.PReLU)}
    assert len(slopes) == 1
    assert sum(name.endswith("act.weight") for name, _ in network.named_parameters()) == 1
    assert CONFIGS["with_two_activations"]["shared"] == {"act": "prelu", "act2": {"name": "gelu", "approximate": "tanh"}}
    assert CONFIGS["by_partials"]["shared"] == {"act": {"name": "prelu", "init": 0.1}}


def test_a_shared_activation_is_used_where_its_name_stands():
    act = {"shared": {"slope": "prelu"}, **unet_with(block={"name": "cab", "act": "@slope"})}
    own = unet_with(block={"name": "cab", "act": "prelu"})
    assert [sum(isinstance(m, nn.PReLU) for m in compose(config).modules()) for config in (act, own)] == [1, 9]


def test_files_hold_the_same_as_a_dict(tmp_path):
    config = {"stages": [UNET, {"name": "orsnet", "width": 8, "num_orbs": 2, "guided": True}], "grids": [[2, 1], [1, 1]]}
    (tmp_path / "network.json").write_text(json.dumps(config))
    (tmp_path / "network.toml").write_text(
        'grids = [[2, 1], [1, 1]]\n[[stages]]\nname = "unet"\nwidths = [8, 12]\n'
        '[[stages]]\nname = "orsnet"\nwidth = 8\nnum_orbs = 2\nguided = true\n'
    )
    for name in ("network.json", "network.toml"):
        assert read_config(tmp_path / name) == config
        assert compose(str(tmp_path / name)).config == config


def test_the_config_of_a_saved_network_is_a_composition(tmp_path):
    network = by_mappings()
    network.save_pretrained(tmp_path)
    assert compose(tmp_path / "config.json").config == network.config


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("network.yaml", "", r"network\.yaml: a composition is a \.json or \.toml file"),
        ("absent.json", None, r"absent\.json cannot be read: No such file"),
        ("broken.json", '{"stages": [', r"broken\.json is not valid JSON: .*line 1"),
        ("broken.toml", "stages = [", r"broken\.toml is not valid TOML: .*"),
        ("binary.json", b"\xff\xfe\x00", r"binary\.json is not valid JSON: .*utf-8"),
        ("list.json", "[]", r"list\.json contains a list; a composition is a mapping with the key 'stages'"),
    ],
)
def test_files_that_hold_no_composition_are_refused(tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError, match=words):
        compose(tmp_path / name)


# What is wrong -> the words that say where, what was found and what to do. The schema knows all of it.
INVALID = {
    "no stages": ({}, "^stages is missing$"),
    "empty stages": ({"stages": []}, r"stages must be a list of 1 or more; got \[\]"),
    "stages of a wrong type": ({"stages": "unet"}, r"stages must be a list; got 'unet'"),
    "misspelt key": (
        unet_with() | {"image_chanels": 1},
        r"image_chanels: unknown key; did you mean 'image_cha",
    ),
    "misspelt stages": ({"stagess": [UNET]}, r"stagess: unknown key; did you mean 'stages'"),
    "stage of a wrong type": (
        {"stages": [UNET, 3]},
        r"stages\[1\] must be the name of a stage, or a mapping with a 'name'.* got 3",
    ),
    "stage without a name": ({"stages": [{"widths": [8]}]}, r"stages\[0\] must be the name of a stage, or a mapping with a 'name'"),
    "unknown stage": ({"stages": [UNET, "orsnte"]}, r"stages\[1\]: unknown stage 'orsnte'; did you mean 'orsnet'\?"),
    "missing argument": ({"stages": ["unet"]}, r"stages\[0\]: stage 'unet' needs 'widths'"),
    "misspelt argument": (unet_with(guidde="add"), r"stages\[0\]\.guidde: unknown argument of stage 'unet'; did you mean 'guide'"),
    "misspelt argument of a block": (
        {"stages": [UNET, UNET | {"block": {"name": "cab", "reducton": 8}}]},
        r"stages\[1\]\.block\.reducton: unknown argument of block 'cab'; did you mean 'reduction'\?",
    ),
    "argument that the stage gives": (unet_with(block={"name": "cab", "width": 8}), r"stages\[0\]\.block\.width: unknown argument"),
    "unknown block": (unet_with(block="caab"), r"stages\[0\]\.block: unknown block 'caab'; did you mean 'cab'"),
    "unknown block in a block": (
        unet_with(block={"name": "orb", "block": {"name": "naff"}}),
        r"stages\[0\]\.block\.block: unknown block 'naff'; did you mean 'naf'",
    ),
    "unknown block in a list": (
        unet_with(block=["naf", "naff"]),
        r"stages\[0\]\.block\[1\]: unknown block 'naff'; did you mean 'naf'",
    ),
    "block without a name": (unet_with(block={"reduction": 2}), r"stages\[0\]\.block must be the name of a block, or a mapping"),
    "no block": (unet_with(block=None), r"stages\[0\]\.block must be the name of a block, .* got None"),
    "unknown connector": (unet_with() | {"fuse": "cssf"}, r"fuse: unknown fuse connector 'cssf'; did you mean 'csff'"),
    "connector of another role": (
        unet_with(guide="residual_head"),
        r"stages\[0\]\.guide: unknown guide .*; known: add, cross_gating, fam, gate",
    ),
    "misspelt argument of a connector": (unet_with() | {"head": {"name": "residual_head", "bia": 1}}, r"head\.bia: .* mean 'bias'"),
    "text for a number": (unet_with(num_blocks="2"), r"stages\[0\]\.num_blocks must be an integer; got '2'"),
    "truth for a number": (unet_with(num_blocks=True), r"stages\[0\]\.num_blocks must be an integer; got True"),
    "fraction for an integer": (unet_with(num_blocks=1.5), r"stages\[0\]\.num_blocks must be an integer; got 1\.5"),
    "number for a list": ({"stages": [UNET | {"widths": 8}]}, r"stages\[0\]\.widths must be a list; got 8"),
    "text in a list": ({"stages": [UNET | {"widths": ["8"]}]}, r"stages\[0\]\.widths\[0\] must be an integer; got '8'"),
    "number for truth": (unet_with(guided=1), r"stages\[0\]\.guided must be true or false; got 1"),
    "number for text": (
        {"stages": [{"name": "timm_unet", "backbone": 18}]},
        r"stages\[0\]\.backbone must be a string; got 18",
    ),
    "text for a mapping": (
        {"stages": [{"name": "timm_unet", "backbone": "resnet18", "backbone_args": "norm"}]},
        r"stages\[0\]\.backbone_args must be a mapping; got 'norm'",
    ),
    "misspelt choice": (
        unet_with(block={"name": "cab", "attention": "cbma"}),
        r"stages\[0\]\.block\.attention must be .*; got 'cbma'; did you mean 'cbam'",
    ),
    "unknown choice": (unet_with() | {"scale_mode": "cubic"}, r"scale_mode must be 'area', 'nearest' or 'corner'; got 'cubic'"),
    "grids that are no lists": (unet_with() | {"grids": [2, 2]}, r"grids\[0\] must be a list; got 2"),
    "shared of a wrong type": (unet_with() | {"shared": ["prelu"]}, r"shared must be a mapping; got \["),
    "unknown shared activation": (
        unet_with() | {"shared": {"act": "prelou"}},
        r"shared\.act: unknown activation 'prelou'; did you",
    ),
    "shared name of a shared one": (
        unet_with() | {"shared": {"act": "prelu", "slope": "@act"}},
        r"shared\.slope must be an activation itself, not the name of a shared one; got '@act'",
    ),
}
# What only shows when names are looked up or parts are built.
UNFIT = {
    "name of nothing shared": (
        unet_with(block={"name": "cab", "act": "@atc"}) | {"shared": {"act": "prelu"}},
        r"stages\[0\]\.block\.act: '@atc' is not under 'shared'; did you mean 'act'",
    ),
    "no width": (
        {"stages": [UNET, UNET | {"widths": []}]},
        r"stages\[1\] \(unet\): widths is empty; a U-Net needs at least one level",
    ),
    "width 0": (
        unet_with(widths=[8, 0]),
        r"stages\[0\] \(unet\): a convolution needs at least one input and one output channel; got .*0",
    ),
    "width that heads do not divide": (
        unet_with(block={"name": "restormer", "num_heads": 5}),
        r"stages\[0\] \(unet\): num_heads must divide the width; got 5 heads for width 8",
    ),
    "even kernel": (unet_with() | {"stem": {"name": "conv", "kernel_size": 2}}, "stem: kernel_size must be odd and positive"),
    "guided first stage": (unet_with(guided=True), r"stage 1 \(UNetStage\) declares guidance .*build it with guided=False"),
}


@pytest.mark.parametrize("fault", INVALID)
def test_what_is_wrong_is_said_with_its_place(fault, validator):
    config, words = INVALID[fault]
    with pytest.raises(ConfigError, match=words):
        compose(config)
    assert not validator.is_valid(config)


@pytest.mark.parametrize("fault", UNFIT)
def test_what_does_not_fit_is_said_with_its_place(fault):
    config, words = UNFIT[fault]
    with pytest.raises((ConfigError, WiringError), match=words):
        compose(config)


# ---- what cannot be written down


class Bare(Stage):
    """A stage that nobody registered, and that has no constructor of its own."""

    spec = StageSpec(*[UNetStage((8,)).spec.inputs] * 3)

    def encode(self, inputs, guidance):
        return inputs

    def decode(self, encoded):
        return encoded


class Opaque(Bare):
    """A stage that does not say that it takes a block."""

    def __init__(self, block):
        super().__init__()


def positional_block(width):
    return partial(ChannelAttentionBlock, width)()


UNWRITABLE = {
    "lambda": (
        lambda: MultiStage([UNetStage((8,), lambda width: nn.Conv2d(width, width, 1))]),
        r"stages\[0\]\.block is <function .*",
    ),
    "lambda in a partial": (
        lambda: MultiStage([UNetStage((8,)), UNetStage((8,), partial(OriginalResolutionBlock, block=positional_block))]),
        r"stages\[1\]\.block\.block is <function positional_block.* not a registered block; register it",
    ),
    "lambda in a mapping": (
        lambda: MultiStage([UNetStage((8,))], stem={"name": "conv_block", "block": positional_block}),
        r"stem\.block is <function positional_block.* not a registered block; register it",
    ),
    "connector": (
        lambda: MultiStage([UNetStage((8,))], head=lambda width, channels: ResidualHead(width, channels)),
        r"head is <function .* not a registered head",
    ),
    "part of another kind": (
        lambda: MultiStage([UNetStage((8,)), UNetStage((8,))], join=ResidualHead),
        r"join is .*ResidualHead.* not a registered join",
    ),
    "activation": (
        lambda: MultiStage([UNetStage((8,), partial(ChannelAttentionBlock, act=nn.Hardswish()))]),
        r"stages\[0\]\.block\.act is .*Hardswish.* not a registered activation",
    ),
    "stage": (lambda: MultiStage([UNetStage((8,)), Bare()]), r"stages\[1\] is .*Bare.* not a registered stage"),
}


@pytest.mark.parametrize("what", UNWRITABLE)
def test_what_is_not_registered_cannot_be_written_down(what):
    make, words = UNWRITABLE[what]
    network = make()
    with pytest.raises(ConfigError, match=words):
        _ = network.config


@pytest.fixture
def open_registries(monkeypatch):
    """Registries that forget what a test registers."""
    for each in (registry.blocks, registry.stages, registry.connectors["stem"]):
        monkeypatch.setattr(each, "_entries", dict(each._entries))


@pytest.mark.usefixtures("open_registries")
def test_a_part_of_ones_own_is_written_down_by_its_name():
    registry.register_stage("bare")(Bare)
    config = MultiStage([Bare()]).config
    assert config == {"stages": [{"name": "bare"}]}
    assert compose(config).config == config


@pytest.mark.usefixtures("open_registries")
def test_a_part_registered_for_two_kinds_has_the_name_of_the_kind_that_is_wanted():
    registry.register_block("either")(conv_block)
    registry.register_connector("or", role="stem")(conv_block)
    assert MultiStage([UNetStage((8,))], stem=conv_block).config["stem"] == "conv_block"
    assert MultiStage([UNetStage((8,))], stem=partial(conv_block, bias=True)).config["stem"] == {"name": "conv_block", "bias": True}
    assert UNetStage((8,), nn.Identity).description["block"] == "identity"


@pytest.mark.usefixtures("open_registries")
def test_a_part_in_an_argument_that_does_not_say_so_cannot_be_written_down():
    registry.register_stage("opaque")(Opaque)
    with pytest.raises(ConfigError, match=r"stages\[0\]\.block is .*ChannelAttentionBlock.*; annotate the argument .*BlockLike"):
        _ = MultiStage([Opaque(ChannelAttentionBlock)]).config


def test_a_config_is_a_copy():
    network = by_mappings()
    network.config["stages"][0]["widths"].append(3)
    assert network.config == CONFIGS["by_mappings"]
    config = copy.deepcopy(CONFIGS["by_partials"])
    compose(config)
    assert config == CONFIGS["by_partials"]


# ---- the schema


@pytest.fixture(scope="module")
def validator():
    Draft202012Validator.check_schema(json_schema())
    return Draft202012Validator(json_schema())


def test_the_schema_accepts_the_config_of_every_model(validator):
    for config in CONFIGS.values():
        validator.validate(json.loads(json.dumps(config)))


def test_the_schema_and_the_check_accept_every_example(validator):
    for path in EXAMPLES:
        config = read_config(path)
        validator.validate(config)
        check_config(config)


def test_the_schema_describes_every_argument():
    """What an editor shows comes from the docstrings; an argument that is missing there has nothing to show."""
    schema = json.loads(json.dumps(json_schema()))
    assert set(schema["properties"]) == {"shared", *argument_docs(MultiStage)}
    described = [part for part in schema["$defs"].values() if "properties" in part and not part["title"].startswith("activation_")]
    missing = [
        f"{part['title']}.{name}"
        for part in described
        for name, value in part["properties"].items()
        if name != "name" and "description" not in value
    ]
    assert described
    assert not missing


def places(value, path=()):
    """Return the paths of everything inside a config."""
    found = [path]
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in entries:
        found += places(entry, (*path, key))
    return found


# Of floats, only fractions: a schema takes 2.0 for the integer 2.
JUNK = (
    st.none()
    | st.booleans()
    | st.integers(-1, 9)
    | st.just(0.5)
    | st.sampled_from(["", "cab", "naf", "conv", "prelu", "unet", "add"])
)
JUNK |= st.lists(JUNK, max_size=2) | st.dictionaries(st.sampled_from(["name", "bias", "widths", "block"]), JUNK, max_size=2)


@st.composite
def nearly_valid(draw):
    """Draw the config of a network with one place changed."""
    config = copy.deepcopy(draw(st.sampled_from(list(CONFIGS.values()))))
    *path, last = draw(st.sampled_from(places(config)[1:]))
    parent = config
    for key in path:
        parent = parent[key]
    if draw(st.booleans()):
        parent[last] = draw(JUNK)
    elif isinstance(parent, dict) and draw(st.booleans()):
        parent[draw(st.sampled_from(["name", "bias", "width", "guided", "act"]))] = parent.pop(last)
    else:
        del parent[last]
    return json.loads(json.dumps(config))


@given(config=nearly_valid())
def test_schema_and_check_agree(validator, config):
    refusal = ""
    try:
        check_config(config)
    except ConfigError as error:
        refusal = str(error)
    assume("is not under 'shared'" not in refusal)  # which a schema cannot know
    assert validator.is_valid(config) == (not refusal), refusal


def test_the_name_of_a_shared_part_without_a_mapping_of_them_is_refused(unchecked_annotations):
    stage = {"name": "unet", "widths": [4], "block": {"name": "cab", "act": "@act"}}
    with pytest.raises(ConfigError, match=r"'@act' is not under 'shared'|shared must be a mapping"):
        compose({"stages": [stage], "shared": 3})


def test_half_a_character_in_a_name_is_refused(unchecked_annotations):
    with pytest.raises(ConfigError, match="it contains text that is not valid Unicode; write it as UTF-8"):
        compose({"stages": [{"name": "hinet", "norm_levels": [0, 4], "\ud800": [4, 8]}]})
