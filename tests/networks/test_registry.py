"""Parts and models by name, of this package and of others."""

import os
import subprocess
import sys
import textwrap
from functools import partial

import pytest
from torch import nn

import restorekit
from restorekit.blocks import ChannelAttentionBlock
from restorekit.checkpoints import Originals
from restorekit.models import pretrained_config
from restorekit.parts import Registry, did_you_mean
from restorekit.stages import UNetStage


def test_a_name_is_registered_once():
    registry = Registry[int]("sampler")
    registry.add("nearest", 1)
    with pytest.raises(ValueError, match="sampler 'nearest' is already registered, as 1; choose another name"):
        registry.add("nearest", 2)
    assert registry.get("nearest") == 1
    assert list(registry) == ["nearest"]


def test_a_cell_of_a_notebook_may_run_again():
    def define(module, name="Block"):
        return type(name, (nn.Module,), {"__module__": module, "__qualname__": name})

    registry = Registry[type]("block")
    registry.add("mine", define("__main__"))
    registry.add("mine", again := define("__main__"))
    assert registry.get("mine") is again
    for other in (define("__main__", "Other"), define("package")):
        with pytest.raises(ValueError, match="'mine' is already registered"):
            registry.add("mine", other)
    registry.add("theirs", define("package"))
    with pytest.raises(ValueError, match="'theirs' is already registered"):
        registry.add("theirs", define("package"))
    entries = Registry[str]("model")
    for entry in ("before", "after"):
        entries.register("mine", lambda _, entry=entry: entry)(define("__main__"))
    assert entries.get("mine") == "after"


@pytest.mark.parametrize(
    ("register", "kind", "name"),
    [
        (restorekit.register_block, "block", "cab"),
        (restorekit.register_stage, "stage", "unet"),
        (partial(restorekit.register_connector, role="supervise"), "supervise connector", "sam"),
        (restorekit.register_model, "model", "mprnet"),
    ],
)
def test_a_duplicate_is_refused(register, kind, name):
    with pytest.raises(ValueError, match=f"{kind} '{name}' is already registered, as .*; choose another name"):
        register(name)(lambda: None)


def test_names_are_suggested():
    assert did_you_mean("cap", ["cab", "orb", "sam"]) == "; did you mean 'cab'?"
    assert did_you_mean("unets", ["unet1", "unet2", "sam"]) == "; did you mean 'unet2' or 'unet1'?"
    assert did_you_mean("zzz", ["sam", "cab"]) == "; known: cab, sam"
    assert did_you_mean("zzz", []) == "; known: none"
    assert did_you_mean("zzz", [f"a{i:03}" for i in range(300)]).endswith("a018, a019, ... (300 in all)")


@pytest.mark.parametrize(
    ("look_up", "words"),
    [
        (lambda: restorekit.create_block("cabs", 8), "unknown block 'cabs'; did you mean 'cab'"),
        (lambda: restorekit.create_block("zzz", 8), "unknown block 'zzz'; known: .*cab.*orb"),
        (lambda: restorekit.create_stage("u-net", (4,)), "unknown stage 'u-net'; did you mean 'unet'"),
        (lambda: restorekit.create_model("mprnet_debler"), "unknown model 'mprnet_debler'; did you mean 'mprnet_deblur'"),
        (
            lambda: restorekit.create_model("mprnet_deblur.gropo"),
            "unknown tag 'gropo' of model 'mprnet_deblur'; did you mean 'gopro'",
        ),
        (
            lambda: restorekit.create_model("mprnet.gopro"),
            "model 'mprnet' has no pretrained weights; pass the path of a checkpoint",
        ),
        (lambda: pretrained_config("mprnet_deblur.sidd"), "unknown tag 'sidd'"),
    ],
)
def test_an_unknown_name_is_refused_with_a_suggestion(look_up, words):
    with pytest.raises(ValueError, match=words):
        look_up()


def test_parts_are_built_by_name():
    block = restorekit.create_block("cab", 8, reduction=2)
    assert isinstance(block, ChannelAttentionBlock)
    assert block.attention.squeeze.out_channels == 4
    stage = restorekit.create_stage("unet", (4, 6), guided=True)
    assert isinstance(stage, UNetStage)
    assert stage.spec.guidance


def test_lists_are_sorted_and_complete():
    assert restorekit.list_blocks() == sorted(restorekit.list_blocks())
    assert {"ca", "cab", "orb"} <= set(restorekit.list_blocks())
    assert {"orsnet", "unet"} <= set(restorekit.list_stages())


def test_models_are_listed_by_pattern_task_and_licence():
    assert restorekit.list_models("mprnet_de*") == ["mprnet_deblur", "mprnet_denoise", "mprnet_derain"]
    assert {"mprnet", "mprnet_tiny"} <= set(restorekit.list_models())
    assert "mprnet" not in restorekit.list_models(task="deblur")
    assert "mprnet_deblur.gopro" in restorekit.list_models(pretrained=True, task="deblur")
    assert "mprnet_deblur.gopro" in restorekit.list_models(pretrained=True, commercial_use=False)
    assert "mprnet_deblur.gopro" not in restorekit.list_models(pretrained=True, commercial_use=True)
    assert restorekit.list_models("nothing*") == []


def test_models_are_listed_in_natural_order():
    """``x10`` comes after ``x9``."""
    from restorekit.models._registry import _natural

    assert sorted(["x10", "x9", "a", "x"], key=_natural) == ["a", "x", "x9", "x10"]


def test_a_models_name_holds_no_dot():
    with pytest.raises(ValueError, match=r"must not contain a dot, which separates the tag of its weights; got 'net\.v2'"):
        restorekit.register_model("net.v2")


def test_names_of_checkpoints_depend_on_arguments_of_the_builder():
    with pytest.raises(ValueError, match="the checkpoint names of 'net' depend on depth, which its builder does not take"):
        restorekit.register_model("net", checkpoints=Originals(lambda width, depth: {}))(lambda width=4: None)


# ---- other packages

PLUGIN = """
    from functools import partial

    from torch import nn

    from restorekit import MultiStage, create_block, register_block, register_model, register_stage
    from restorekit.stages import UNetStage

    @register_block("plain")
    class Plain(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.conv = nn.Conv2d(width, width, 3, padding=1)

        def forward(self, x):
            return x + self.conv(x)

    @register_stage("plain_unet")
    def plain_unet(*args, **kwargs):
        return UNetStage(*args, partial(create_block, "plain"), **kwargs)

    @register_model("plain_net")
    def plain_net(width=4):
        return MultiStage([plain_unet((width, width))])
"""


def run_beside(directory, entry_points, modules, program):
    """Run a program in a new Python that finds a distribution of these entry points and modules; return what it prints."""
    metadata = directory / "plain-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: plain\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[restorekit.plugins]\n" + "\n".join(entry_points) + "\n")
    for name, text in modules.items():
        (directory / f"{name}.py").write_text(textwrap.dedent(text))
    completed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env=os.environ | {"PYTHONPATH": str(directory)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    return completed.stdout.split()


def test_other_packages_join_by_entry_points_and_broken_ones_warn_and_break_nothing_else(tmp_path):
    modules = {"plain_plugin": PLUGIN, "clash": 'import restorekit\nrestorekit.register_block("cab")(lambda width: None)'}
    entry_points = ["a_missing = no_such_module", "b_clash = clash", "plain = plain_plugin"]
    program = """
        import sys
        import warnings

        import restorekit, torch

        print("plain_plugin" in sys.modules)  # not before a name is looked up
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            names = restorekit.list_blocks()
            restorekit.list_blocks()  # the second time is quiet
        messages = sorted(str(warning.message) for warning in caught)
        assert len(messages) == 2, messages
        assert messages[0].startswith("restorekit plugin 'a_missing' (no_such_module) failed to load: ModuleNotFoundError")
        assert messages[1].startswith("restorekit plugin 'b_clash' (clash) failed to load: ValueError")
        assert "already registered" in messages[1]

        warnings.simplefilter("error")
        print("plain" in names, "plain_unet" in restorekit.list_stages(), "plain_net" in restorekit.list_models())
        print(restorekit.create_model("plain_net", width=8)(torch.rand(1, 3, 4, 4)).shape.numel())
        print(type(restorekit.create_block("plain", 4)).__name__, type(restorekit.create_block("cab", 4)).__name__)
    """
    printed = run_beside(tmp_path, entry_points, modules, program)
    assert printed == ["False", "True", "True", "True", "48", "Plain", "ChannelAttentionBlock"]
