"""A network that a file describes is refused by its size before it is built, whatever the way in which it is large."""

import json
import time

import pytest
import torch
from torch import nn

from restorekit import CheckpointError, ConfigError, compose, create_model
from restorekit.composition import bounded
from restorekit.models import model_from_config

UNET = {"name": "unet", "widths": [8, 12]}
LIFT = r"if you trust its source, set RESTOREKIT_MAX_SIZE"


def unet(**arguments):
    return {"stages": [UNET | arguments]}


def nested(levels, innermost="cab"):
    block = innermost
    for _ in range(levels):
        block = {"name": "orb", "block": block, "num_blocks": 1}
    return unet(block=block)


def cyclic():
    block = {"name": "orb"}
    block["block"] = block
    return unet(block=block)


def many_ways_around():
    config = {}
    config["stages"] = [config] * 50
    return config


def powers():
    block = "cab"
    for _ in range(6):
        block = {"name": "orb", "block": block, "num_blocks": 8}
    return unet(block=block)


TOO_LARGE = {
    "modules": (unet(num_blocks=16_000), r"the network has at least 5,001 modules, and the limit is 5,000"),
    "parameters": (unet(widths=[8000]), r"at least 576,000,000 parameters, and the limit is 250,000,000"),
    "powers of modules": (powers(), r"at least 5,001 modules"),
    "a count": (unet(num_blocks=10**5), r"stages\[0\]\.num_blocks is 100,000, and the limit is 16,384"),
    "a large count": (unet(num_blocks=10**9), r"num_blocks is 1,000,000,000, and the limit"),
    "2^63": (unet(num_blocks=2**63), r"num_blocks is 9,223,372,036,854,775,808, and the limit"),
    "a huge count": (unet(num_blocks=-(10**5000)), r"num_blocks is more than 2\^16609, and the limit is 16,384"),
    "a size": (unet(block={"name": "cab", "kernel_size": 10**5}), r"stages\[0\]\.block\.kernel_size is 100,000"),
    "grids": (unet() | {"grids": [[10**6, 1]]}, r"grids\[0\]\[0\] is 1,000,000"),
    "a name": ({"stages": ["x" * 3_000_000]}, r"a name or text in stages\[0\] has 3,000,000 characters, and the limit is 1,000"),
    "a key": (unet(**{"x" * 3_000_000: 1}), r"a name or text in stages\[0\] has 3,000,000 characters"),
    "nesting": (nested(400), r"nested 33 levels deep, and the limit is 32"),
    "itself": (cyclic(), r"nested 33 levels deep"),
    "itself, many times": (many_ways_around(), r"nested 33 levels deep|10,0\d\d entries"),
    "entries": ({"stages": ["unet"] * 20_000}, r"it has 20,001 entries, and the limit is 10,000"),
}


@pytest.mark.parametrize("case", TOO_LARGE)
def test_a_large_composition_is_refused_at_once(case, unchecked_annotations):
    config, words = TOO_LARGE[case]
    started = time.process_time()
    with pytest.raises(ConfigError, match=rf"{words}.*; {LIFT}"):
        compose(config)
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    ("name", "content"),
    [("deep.json", '{"stages":' + "[" * 10**5), ("deep.toml", "stages = " + "[" * 10**5), ("long.json", " " * 2**20 + "{}")],
)
def test_a_large_file_is_refused(name, content, tmp_path):
    (tmp_path / name).write_text(content)
    words = rf"it has 1,048,578 bytes, and the limit is 1,048,576; {LIFT}=2" if "long" in name else "nested more deeply than Python"
    with pytest.raises(ConfigError, match=rf"{name} is .*{words}"):
        compose(tmp_path / name)


def test_the_limits_can_be_lifted(monkeypatch):
    assert compose(nested(25)).config == nested(25)
    monkeypatch.setenv("RESTOREKIT_MAX_SIZE", "2")
    assert compose(nested(30)).config == nested(30)
    with pytest.raises(ConfigError, match="nested 65 levels deep, and the limit is 64"):
        compose(nested(400))
    monkeypatch.setenv("RESTOREKIT_MAX_SIZE", "1000")
    with pytest.raises(ConfigError, match="nested more deeply than Python allows"):
        compose(nested(2000))


@pytest.mark.parametrize("value", ["", "much", "0", "-1", "inf", "nan"])
def test_a_limit_that_is_none_is_refused(value, monkeypatch):
    monkeypatch.setenv("RESTOREKIT_MAX_SIZE", value)
    with pytest.raises(ConfigError, match=f"RESTOREKIT_MAX_SIZE must be a positive number, such as 10; got '{value}'"):
        compose(unet())


@pytest.mark.parametrize(
    "config",
    [
        {"architecture": "mprnet", "arguments": {"num_blocks": 10**4}},
        {"architecture": "mprnet", "arguments": {"width": 10**4}},
        {"architecture": "hinet", "arguments": {"depth": 60}},
        {"composition": unet(num_blocks=10**9)},
    ],
    ids=str,
)
def test_a_large_model_of_a_repository_is_refused(config, tmp_path, unchecked_annotations):
    with pytest.raises(CheckpointError, match=rf"repository describes a model that cannot be built here: .*limit is.*{LIFT}"):
        model_from_config(config, "the repository")
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(CheckpointError, match=LIFT):
        create_model(f"local-dir:{tmp_path}")


def test_a_deep_description_of_weights_is_refused(tmp_path, unchecked_annotations):
    deep = {"architecture": "mprnet_tiny", "weights": {"task": json.loads("[" * 90 + "]" * 90)}}
    (tmp_path / "config.json").write_text(json.dumps(deep))
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(CheckpointError, match=f"levels deep, and the limit is.*{LIFT}"):
        create_model(f"local-dir:{tmp_path}")


def test_looking_at_the_size_changes_nothing_else():
    torch.manual_seed(3)
    plain = create_model("mprnet", width=8, unet_step=4, ors_step=4, num_blocks=1)
    torch.manual_seed(3)
    composed = compose(plain.config)
    for name, tensor in plain.state_dict().items():
        assert torch.equal(tensor, composed.state_dict()[name]), name
    assert len(list(nn.Sequential(*[nn.Identity() for _ in range(6000)]).modules())) == 6001  # nothing is counted any more


def test_a_part_that_needs_values_to_be_built_is_counted_while_it_is_built():
    def build(width):
        layer = nn.Linear(width, width)
        return layer if layer.weight.sum().item() != 7 else None

    assert bounded(lambda: build(3)).weight.shape == (3, 3)
    with pytest.raises(ConfigError, match="at least 400,000,000 parameters"):
        bounded(lambda: build(20_000))
