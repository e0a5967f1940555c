"""Parts from a loose file, checkpoints that name where their parts come from, connectors by role."""

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

import restorekit
from _helpers import ROOT
from restorekit.checkpoints import read_metadata
from restorekit.errors import CheckpointError, ConfigError
from restorekit.models import config_of, model_from_checkpoint
from restorekit.parts import blocks, load_parts, origins_of

PARTS = """
from torch import nn
import restorekit

@restorekit.register_block("loose")
class Loose(nn.Module):
    def __init__(self, width: int, *, kernel_size: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, kernel_size, padding=kernel_size // 2)

    def forward(self, x):
        return x + self.conv(x)
"""
NETWORK = {"stages": [{"name": "unet", "widths": [4, 6], "block": "loose"}]}


@pytest.fixture
def parts(tmp_path, monkeypatch):
    """A file of parts; what it registers is forgotten after the test."""
    list(blocks)
    monkeypatch.setattr(blocks, "_entries", dict(blocks._entries))
    monkeypatch.setattr(blocks, "_definitions", dict(blocks._definitions))
    (tmp_path / "my_parts.py").write_text(PARTS)
    return tmp_path / "my_parts.py"


def test_a_file_is_loaded_once(parts, monkeypatch):
    module = load_parts(parts)
    monkeypatch.chdir(parts.parent)
    assert load_parts("my_parts.py") is module
    assert isinstance(restorekit.create_block("loose", 4, kernel_size=5), module.Loose)


def test_a_checkpoint_names_the_file_and_the_shell_loads_it(parts, monkeypatch):
    load_parts(parts)
    model = restorekit.compose(NETWORK)
    assert config_of(model)["requires"] == ["my_parts.py"]
    assert "requires" not in config_of(
        restorekit.compose({"stages": [{"name": "unet", "widths": [4], "block": {"name": "cab", "act": "gelu"}}]})
    )
    folder = parts.parent / "model"
    model.save_pretrained(folder)
    weights = folder / "model.safetensors"
    assert json.loads(read_metadata(weights)["requires"]) == ["my_parts.py"]
    with monkeypatch.context() as elsewhere:
        elsewhere.delitem(blocks._entries, "loose")
        advice = r"unknown block 'loose'.*; its parts come from 'my_parts.py': install the package, or load the file, with --parts"
        with pytest.raises(CheckpointError, match=advice):
            model_from_checkpoint(weights)
    command = [sys.executable, "-m", "restorekit", "inspect", f"local-dir:{folder}", "--parts", str(parts)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "parameters" in done.stdout


def test_a_part_of_a_package_is_named_by_its_distribution(parts):
    blocks.add("far", torch.nn.Identity, definition=SimpleNamespace(__module__="PIL.parts"))
    assert origins_of({"stages": [{"name": "unet", "block": {"name": "far"}}]}) == ["pillow"]
    assert origins_of({"stages": [{"name": "unet", "block": "cab"}]}) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, "my_parts.py is not a Python file"), ("import nothing_of_this_name", "ModuleNotFoundError: No module")],
)
def test_a_file_that_is_no_module_is_explained(tmp_path, text, words):
    if text is not None:
        (tmp_path / "my_parts.py").write_text(text)
    with pytest.raises(ConfigError, match=words):
        load_parts(tmp_path / "my_parts.py")


def test_connectors_by_role():
    assert {"sam", "plain", "none"} <= set(restorekit.list_connectors("supervise"))
    with pytest.raises(ValueError, match="unknown role 'supervisor' of connectors; did you mean 'supervise'"):
        restorekit.list_connectors("supervisor")


def test_features_are_those_of_the_stages_on_the_whole_image():
    torch.manual_seed(0)
    unet = {"name": "unet", "widths": [4, 6], "block": "cab"}
    patches = restorekit.compose({"stages": [unet, unet | {"guided": True}], "grids": [[2, 1], [1, 1]]})
    image = torch.rand(2, 3, 16, 8)
    found = patches.features(image)
    assert list(found) == [0, 1]
    for place, (encoded, decoded) in found.items():
        spec = patches.stages[place].spec
        for features, levels in ((encoded, spec.encoder), (decoded, spec.decoder)):
            assert [tuple(each.shape) for each in features] == [(2, n, 16 // stride, 8 // stride) for n, stride in levels]
    torch.testing.assert_close(patches.heads[0](found[1].decoded[0], image), patches(image))
    assert not any(stage._forward_hooks for stage in patches.stages)
    (last,) = patches.features(image, stages=[1]).values()
    last.decoded[0].sum().backward()
    assert patches.stages[0].encoders[0][0].conv1.weight.grad is not None
    with pytest.raises(ValueError, match="stages must be from 0 to 1, the places of the stages; got 2"):
        patches.features(image, stages=[2])


def test_a_network_needs_one_method():
    class Brighter(restorekit.RestorationNetwork):
        def __init__(self):
            super().__init__()
            self.factor = torch.nn.Parameter(torch.ones(1))

        def forward_stages(self, image, *, stages=None, coarse=True):
            return [image * self.factor]

    model = Brighter()
    restored = restorekit.restore(model, torch.full((1, 3, 5, 7), 0.5))
    assert torch.equal(restored, torch.full((1, 3, 5, 7), 0.5))
    restorekit.testing.check_model(model)
