"""Weights are recognised in all wrappings that people's programs put around them."""

import contextlib
import warnings

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.optim.swa_utils import AveragedModel
from typer.testing import CliRunner

from restorekit import CheckpointError, compose, create_model, load_weights, restore
from restorekit.checkpoints import original_names, save_weights
from restorekit.cli import app
from restorekit.models import model_from_checkpoint

ARGUMENTS = {"width": 4, "encoder_blocks": (1,), "middle_blocks": 1, "decoder_blocks": (1,)}


@pytest.fixture(scope="module")
def source():
    torch.manual_seed(1)
    return create_model("nafnet", **ARGUMENTS)


@pytest.fixture(scope="module")
def original(source):
    """The state dict as the authors' code would name it."""
    theirs = {ours: original for original, ours in original_names(source).items()}
    parts = [(name.rpartition("."), tensor) for name, tensor in source.state_dict().items()]
    return {f"{theirs[module]}.{parameter}": tensor for (module, _, parameter), tensor in parts}


def new():
    return create_model("nafnet", **ARGUMENTS)


def same(model, other):
    return all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), other.state_dict().values(), strict=True))


def after(prefix, state):
    return {prefix + name: tensor for name, tensor in state.items()}


PREFIXES = ["module.", "_orig_mod.", "module._orig_mod.", "model.", "net.", "a.b.c.", "model.net._orig_mod.module."]
WRAPPERS = ["state_dict", "model_state_dict", "model", "net", "network", "generator", "net_g_ema", "params", "params_ema", "any"]
OPTIMIZER = {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 1.0}]}


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("names", ["ours", "original"])
def test_a_common_prefix_is_found(names, prefix, source, original, tmp_path):
    state = after(prefix, source.state_dict() if names == "ours" else original)
    torch.save({"state_dict": state, "epoch": 3, "hyper_parameters": {"lr": 1.0}}, tmp_path / "x.ckpt")
    assert same(load_weights(new(), tmp_path / "x.ckpt"), source)
    assert same(load_weights(new(), state), source)
    if names == "original":
        assert same(model_from_checkpoint(tmp_path / "x.ckpt")[0], source)
    state.popitem()
    with pytest.raises(CheckpointError, match=rf"state dict \(names after '{prefix}'\) does not fit nafnet: 1 missing"):
        load_weights(new(), state)


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_wrapper_is_found(wrapper, source, original, tmp_path):
    for state in (source.state_dict(), original):
        torch.save({"step": 3, "optimizer": OPTIMIZER, wrapper: state}, tmp_path / "x.pth")
        assert same(load_weights(new(), tmp_path / "x.pth"), source)
        assert same(model_from_checkpoint(tmp_path / "x.pth")[0], source)


def test_the_weights_that_fit_are_chosen_among_several(source, original, tmp_path):
    others = {f"layers.{i}.weight": torch.zeros(2) for i in range(500)}
    zeros = {name: torch.zeros_like(tensor) for name, tensor in original.items()}
    for content in (
        {"generator": original, "discriminator": others},
        {"params": zeros, "params_ema": original},
        {"model": zeros, "average": original},
        {"schema": zeros, "model-EMA": original},
    ):
        torch.save(content, tmp_path / "x.pth")
        assert same(load_weights(new(), tmp_path / "x.pth"), source)
        assert same(model_from_checkpoint(tmp_path / "x.pth")[0], source)
    with pytest.warns(UserWarning, match=r"names after 'ema\.'\): tensors with other names are left out: net\..*, \.\.\."):
        assert same(load_weights(new(), after("net.", zeros) | after("ema.", original)), source)
    with pytest.raises(CheckpointError, match=r"state dict \(a\) and state dict \(b\) fit equally well; load the content yourself"):
        load_weights(new(), {"a": original, "b": zeros})


class Task(nn.Module):
    """A module around a network and a loss, as training frameworks have."""

    def __init__(self, network):
        super().__init__()
        self.net, self.loss = network, nn.Conv2d(3, 3, 3)


WRAPPED = {"data parallel": nn.DataParallel, "compiled": torch.compile, "averaged": AveragedModel, "task": Task}
OTHERS = {"averaged": "n_averaged", "task": "loss.weight, loss.bias"}


@pytest.mark.parametrize("kind", WRAPPED)
def test_wrapped_networks_are_saved_loaded_and_run(kind, source, tmp_path):
    wrapped = WRAPPED[kind](source)
    save_weights(wrapped, tmp_path / "x.safetensors")
    model, metadata = model_from_checkpoint(tmp_path / "x.safetensors")
    assert same(model, source)
    assert metadata["architecture"] == "nafnet"
    network = new()
    other = WRAPPED[kind](network)
    assert load_weights(other, tmp_path / "x.safetensors") is other
    inside = other.module if kind == "averaged" else network
    assert same(inside, source)
    image = torch.rand(3, 9, 9)
    assert torch.equal(restore(wrapped, image), restore(source, image))
    torch.save(wrapped.state_dict(), tmp_path / "x.pth")
    left = (
        pytest.warns(UserWarning, match=f"other names are left out: {OTHERS[kind]}") if kind in OTHERS else contextlib.nullcontext()
    )
    with left:
        assert same(model_from_checkpoint(tmp_path / "x.pth")[0], source)


def test_a_wrapper_without_one_network_is_refused(source, tmp_path):
    save_weights(source, tmp_path / "x.safetensors")
    for module, found in ((nn.Sequential(), "no"), (nn.ModuleList([source, new()]), 2)):
        for use in (lambda m: load_weights(m, tmp_path / "x.safetensors"), lambda m: restore(m, torch.zeros(3, 8, 8))):
            with pytest.raises(ValueError, match=f"contains {found} restoration networks; pass the network itself"):
                use(module)


def test_a_model_without_values_says_what_to_do(source):
    with torch.device("meta"):
        model = new()
    with pytest.raises(
        CheckpointError, match="the model is on the meta device, where parameters have no values; build it outside of"
    ):
        load_weights(model, source.state_dict())


def test_a_state_dict_says_what_network_it_is_of(tmp_path):
    """By name with arguments, or as a composition; in a bare file, a wrapper, or after a prefix."""
    composed = compose({"stages": [{"name": "unet", "widths": [4, 6]}], "image_channels": 1})
    for model in (create_model("nafnet", width=4), composed):
        for content in (model.state_dict(), {"epoch": 1, "model": nn.DataParallel(model).state_dict()}):
            torch.save(content, tmp_path / "x.pth")
            found, metadata = model_from_checkpoint(tmp_path / "x.pth")
            assert found.config == model.config
            assert same(found, model)
            assert metadata


@pytest.mark.parametrize("kind", ["pth", "safetensors"])
def test_bare_weights_of_a_registered_model_are_recognised(kind, tmp_path):
    model = create_model("nafnet_tiny")
    state = {f"module.{name}": tensor.clone() for name, tensor in model.state_dict().items()}
    path = tmp_path / f"x.{kind}"
    torch.save(state, path) if kind == "pth" else save_file(state, path)
    found, metadata = model_from_checkpoint(path)
    assert metadata == {"architecture": "nafnet_tiny", "arguments": "{}"}
    assert same(found, model)


def test_the_command_line_reads_what_torch_saved(source, tmp_path, unchecked_annotations):
    torch.save({"step": 1, "model": source.state_dict(), "optimizer": OPTIMIZER}, tmp_path / "checkpoint.pth")
    result = CliRunner().invoke(app, ["convert", str(tmp_path / "checkpoint.pth"), str(tmp_path / "x.safetensors")])
    assert result.exit_code == 0, result.output
    assert same(model_from_checkpoint(tmp_path / "x.safetensors")[0], source)


def test_weights_in_our_names_that_nothing_is_known_of_say_what_to_do(source, tmp_path):
    torch.save(dict(source.state_dict()), tmp_path / "x.pth")
    with pytest.raises(
        CheckpointError, match=r"if you know the model, create_model\(name, pretrained=path, \.\.\.\) loads the file"
    ):
        model_from_checkpoint(tmp_path / "x.pth")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert same(create_model("nafnet", pretrained=tmp_path / "x.pth", **ARGUMENTS), source)
