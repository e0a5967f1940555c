"""Weights of flax are read from every kind of file that holds some, and what cannot be read is explained."""

import dataclasses
import hashlib
import io
import json
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import restorekit
from _helpers.flax_weights import (
    SMALL,
    flax_state,
    original_shapes,
    save_npz,
    small_maxim,
    without_coarse_heads,
    write_graph_model,
    write_package,
)
from _helpers.parity import assert_same_state
from restorekit import CheckpointError, create_model, load_weights, restore
from restorekit.checkpoints import save_weights
from restorekit.checkpoints.hub import Entry, IntegrityError
from restorekit.cli import app
from restorekit.models import architectures, model_from_checkpoint, pretrained_config, register_model
from restorekit.models._maxim import infer_arguments
from restorekit.provenance import WebFile


@pytest.fixture(scope="module")
def small():
    """A small MAXIM, which no test changes."""
    return small_maxim()


# ---- archives of numpy


def test_a_checkpoint_of_the_authors_becomes_a_model(small, tmp_path):
    state = flax_state(small)
    np.savez(
        tmp_path / "checkpoint.npz",
        **{f"opt/target/{key}": value for key, value in state.items()},
        **{f"opt/state/param_states/{key}/grad_ema": np.zeros(3) for key in state},
    )
    model, metadata = model_from_checkpoint(tmp_path / "checkpoint.npz")
    assert metadata["architecture"] == "maxim"
    assert json.loads(metadata["arguments"]) == SMALL
    assert_same_state(model, small)


def test_arguments_are_inferred_from_shapes():
    state = {key: torch.empty(shape, device="meta") for key, shape in original_shapes("s3").items()}
    assert infer_arguments(state) == SMALL | {
        "features": 32,
        "stages": 3,
        "depth": 3,
        "scales": 3,
        "num_groups": 2,
        "num_bottleneck_blocks": 2,
        "block_size": 16,
        "grid_size": 16,
        "coarse_block_size": 8,
        "reduction": 4,
    }
    assert infer_arguments({"conv.weight": torch.zeros(1)}) is None
    state = {key: torch.empty(shape, device="meta") for key, shape in original_shapes("mini").items()}
    with pytest.raises(CheckpointError, match="mixes 32 values, which does not determine the numbers of rows and columns"):
        infer_arguments(state)


class Surprise:
    def __reduce__(self):
        return (os.system, ("touch surprise",))


FAULTS = {
    "pickled objects": (
        lambda path, state: np.savez(path, a=np.array([Surprise()])),
        "pickled objects, which can run code.* refused",
    ),
    "a pickle": (
        lambda path, state: path.write_bytes(b"\x80\x04N."),
        "pickled objects, which can run code|truncated or not an archive",
    ),
    "truncated": (
        lambda path, state: (save_npz(path, state), path.write_bytes(path.read_bytes()[:-100])),
        "truncated or not an archive of numpy arrays",
    ),
    "empty": (lambda path, state: path.write_bytes(b""), "truncated or not an archive of numpy arrays"),
    "one array": (lambda path, state: path.write_bytes(b"\x93NUMPY" + bytes(80)), "truncated or not an archive of numpy arrays"),
    "words": (lambda path, state: np.savez(path, a=np.array(["kernel"])), "contains no state dict: 'a' is a ndarray"),
    "foreign": (
        lambda path, state: np.savez(path, a=np.zeros(3)),
        "does not belong to a registered model: 1 tensors, starting with a",
    ),
    "unknown name": (
        lambda path, state: save_npz(path, state | {"stage_0_extra/kernel": np.zeros((2, 2), np.float32)}),
        r"1 unexpected \(stage_0_extra.weight\)",
    ),
    "lacks weights": (
        lambda path, state: save_npz(path, {key: x for key, x in state.items() if "stage_1_decoder_block_0/Conv" not in key}),
        r"2 missing \(stages.1.ups.0.conv.weight, stages.1.ups.0.conv.bias\)",
    ),
    "shape": (
        lambda path, state: save_npz(path, state | {"stage_1_output_conv_0/kernel": np.zeros((3, 3, 3, 4), np.float32)}),
        r"heads.0.to_image.weight is \(4, 3, 3, 3\), expected \(3, 4, 3, 3\)",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_archive_is_refused(fault, small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write, words = FAULTS[fault]
    write(tmp_path / "bad.npz", flax_state(small))
    with pytest.raises(CheckpointError, match=words):
        model_from_checkpoint(tmp_path / "bad.npz")
    assert not Path("surprise").exists()


# ---- graph models


@pytest.mark.usefixtures("unchecked_annotations")  # as for users of the command
@pytest.mark.parametrize("packed", [False, True], ids=["folder", "package"])
def test_a_graph_model_is_converted_and_says_what_it_lacks(packed, small, tmp_path):
    state, target = without_coarse_heads(flax_state(small)), tmp_path / "small.safetensors"
    if packed:
        write_package(tmp_path / "maxim-0.1.0.tgz", state)
    else:
        write_graph_model(tmp_path / "package" / "models", state)
    source = tmp_path / "maxim-0.1.0.tgz" if packed else tmp_path
    result = CliRunner().invoke(app, ["convert", str(source), str(target)])
    assert result.exit_code == 0, result.output
    assert f"{source} lacks heads.1: the model computes its result, but not the last stage's image at 1/2" in result.output
    with pytest.warns(UserWarning, match="small.safetensors lacks heads.1"):
        model, _ = model_from_checkpoint(target)
    image = torch.rand(1, 3, 16, 24)
    assert torch.equal(model(image), small(image))
    assert torch.equal(restore(model, image), restore(small, image))
    first = model.forward_stages(image, stages=1)
    assert len(first) == 2
    with pytest.raises(CheckpointError, match="do not include those for the last stage's image at 1/2; pass coarse=False"):
        model.forward_stages(image)
    with pytest.warns(UserWarning, match=r"lacks heads.1"):  # the same again
        load_weights(model, target)


def broken(folder, change):
    path = folder / "model.json"
    model = json.loads(path.read_text())
    change(model)
    path.write_text(json.dumps(model))


GRAPH_FAULTS = {
    "no model": (lambda folder: (folder / "model.json").unlink(), "no model.json in it"),
    "no json": (lambda folder: (folder / "model.json").write_text("{"), "not from a TensorFlow.js graph model"),
    "other json": (lambda folder: (folder / "model.json").write_text('{"a": 1}'), "not from a TensorFlow.js graph model"),
    "no shard": (lambda folder: (folder / "second.bin").unlink(), "a file it names is missing"),
    "truncated": (lambda folder: (folder / "second.bin").write_bytes(b"1234"), "is one truncated"),
    "longer": (
        lambda folder: (folder / "first.bin").write_bytes((folder / "first.bin").read_bytes() + b"1234"),
        "bytes, but .* are declared",
    ),
    "quantised": (
        lambda folder: broken(folder, lambda m: m["weightsManifest"][0]["weights"][0].update(quantization={})),
        "arg_0 is quantised",
    ),
    "other use": (
        lambda folder: broken(folder, lambda m: m["modelTopology"]["node"][0].update(op="Pow")),
        "as no flax layer does",
    ),
    "no use": (
        lambda folder: broken(folder, lambda m: m["modelTopology"]["node"].pop(0)),
        "1 of its weights are used in no known way",
    ),
    "two uses": (
        lambda folder: broken(folder, lambda m: m["modelTopology"]["node"].append(m["modelTopology"]["node"][0])),
        "two of its weights are",
    ),
}


@pytest.mark.parametrize("fault", GRAPH_FAULTS)
def test_a_bad_graph_model_is_refused(fault, small, tmp_path):
    write_graph_model(tmp_path / "models", flax_state(small))
    change, words = GRAPH_FAULTS[fault]
    change(tmp_path / "models")
    with pytest.raises(CheckpointError, match=words):
        load_weights(small, tmp_path)


def test_unknown_and_missing_weights_are_explained():
    with pytest.raises(ValueError, match="unknown tag 'sid' of model 'maxim_denoise'; did you mean 'sidd'"):
        create_model("maxim_denoise.sid")
    with pytest.raises(CheckpointError, match=r"sots_indoor are not available:\n- web: storage.googleapis.com"):
        create_model("maxim_dehaze", pretrained="sots_indoor")
    assert restorekit.list_models(task="dehaze") == ["maxim_dehaze"]


# ---- loading and fetching


def test_loading_complete_weights_warns_of_nothing(small):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_same_state(load_weights(create_model("maxim", **SMALL), flax_state(small)), small)


def test_weights_round_trip_through_a_file(small, tmp_path):
    save_weights(small, tmp_path / "a.safetensors", {"architecture": "maxim", "arguments": json.dumps(SMALL)})
    assert_same_state(model_from_checkpoint(tmp_path / "a.safetensors")[0], small)


@pytest.fixture
def bucket(hub, monkeypatch):
    """Return a function that registers a small MAXIM whose weights are files on a server on loopback, and gives their addresses."""
    monkeypatch.setattr(architectures, "_entries", dict(architectures._entries))

    def register(*files, pinned=None):
        hub.add("authors/bucket", {path.name: path.read_bytes() for path in files if path.exists()})
        places = [WebFile(f"{hub.url}/authors/bucket/resolve/main/{path.name}", pinned) for path in files]
        known = dataclasses.replace(pretrained_config("maxim_deblur.gopro"), sources=tuple(places))
        architectures._entries.pop("maxim_small", None)
        register_model("maxim_small", pretrained={"tag": known})(lambda **kwargs: create_model("maxim", **SMALL | kwargs))
        return [place.url for place in places]

    return register


def test_the_authors_bucket_is_asked_once_and_its_file_kept_as_safetensors(small, bucket, hub, tmp_path):
    path, state = tmp_path / "checkpoint.npz", flax_state(small)
    np.savez(path, **{f"opt/target/{key}": x for key, x in state.items()}, **{f"opt/state/{key}": np.zeros(2) for key in state})
    (url,) = bucket(path)
    assert_same_state(create_model("maxim_small", pretrained=True), small)
    record = Entry("maxim_small.tag").record()
    assert (record.origin, record.sha256) == (url, hashlib.sha256(path.read_bytes()).hexdigest())
    hub.add("authors/bucket", {path.name: b"gone"})
    assert_same_state(create_model("maxim_small.tag", pretrained=True), small)
    assert Entry("maxim_small.tag").weights.suffix == ".safetensors"


@pytest.mark.filterwarnings("ignore:.*lacks? heads.1")
def test_a_package_is_the_second_place(small, bucket, tmp_path):
    path = tmp_path / "maxim-0.1.0.tgz"
    write_package(path, without_coarse_heads(flax_state(small)))
    bucket(tmp_path / "checkpoint.npz", path, pinned=hashlib.sha256(path.read_bytes()).hexdigest())
    image = torch.rand(1, 3, 16, 24)
    assert torch.equal(create_model("maxim_small", pretrained=True)(image), small(image))
    assert Entry("maxim_small.tag").record().origin.endswith(path.name)


def test_what_the_bucket_should_not_hold_is_refused(small, bucket, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "checkpoint.npz"
    np.savez(path, a=np.array([Surprise()]))
    bucket(path)
    with pytest.raises(CheckpointError, match=r"pickled objects, which can run code.* refused"):
        create_model("maxim_small", pretrained=True)
    save_npz(path, flax_state(small))
    bucket(path, pinned="0" * 64)
    with pytest.raises(IntegrityError, match="pinned is 0000"):
        create_model("maxim_small", pretrained=True)
    assert not Path("surprise").exists()


def test_the_published_places_are_the_bucket_and_the_packages():
    places = [
        source.url for name in restorekit.list_models("maxim_*", pretrained=True) for source in pretrained_config(name).sources
    ]
    folders = [place.split("/ckpt/")[1] for place in places if place.startswith("https://storage.googleapis.com/gresearch/maxim/")]
    assert len(folders) == len(set(folders)) == 11
    assert {"Denoising/SIDD/checkpoint.npz", "Deblurring/RealBlur_J/checkpoint.npz", "Dehazing/SOTS-Indoor/checkpoint.npz"} < set(
        folders
    )
    pinned = [
        source for name in ("maxim_denoise", "maxim_deblur", "maxim_derain") for source in pretrained_config(name).sources[1:]
    ]
    assert [source.url.rpartition("/")[2] for source in pinned] == [
        f"maxim-{x}ing-0.1.0.tgz" for x in ("denois", "deblurr", "derain")
    ]
    assert all(len(source.sha256) == 64 for source in pinned)


# ---- the demo


def demo(*arguments):
    return CliRunner().invoke(app, ["demo", *map(str, arguments)])


@pytest.mark.usefixtures("unchecked_annotations")
def test_the_demo_restores_the_photograph_of_a_package(small, tmp_path):
    blurred = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(blurred).save(file, "PNG")
    package = tmp_path / "maxim-0.1.0.tgz"
    write_package(package, without_coarse_heads(flax_state(small)), **{"assets/fixture.png": file.getvalue()})
    result = demo("--task", "deblur", "--model", package, "-o", tmp_path / "demo.png")
    assert result.exit_code == 0, result.output
    assert "lacks heads.1" in result.output
    sheet = np.asarray(Image.open(tmp_path / "demo.png"))
    margin, bar = 12, 40
    panels = [sheet[bar : bar + 20, left : left + 30] for left in (margin, 2 * margin + 30)]
    assert np.array_equal(panels[0], blurred)
    assert np.array_equal(panels[1], restore(small, blurred))


@pytest.mark.usefixtures("unchecked_annotations")
def test_the_demo_takes_weights_and_a_photograph(small, tmp_path):
    weights, photo = tmp_path / "small.safetensors", tmp_path / "photo.png"
    save_weights(small, weights, {"architecture": "maxim", "arguments": json.dumps(SMALL)})
    Image.fromarray(np.full((20, 30), 99, np.uint8)).save(photo)
    result = demo("--task", "derain", "--model", weights, "--input", photo, "-o", tmp_path / "demo.png")
    assert result.exit_code == 0, result.output
    assert "dB" not in result.output
    with Image.open(tmp_path / "demo.png") as sheet:
        assert sheet.size == (3 * 12 + 2 * 30, 72)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--task", "derain", "--model", "maxim_deblur.reds"), "maxim_deblur.reds are for deblur, but the task is derain"),
        (("--task", "deblur", "--model", "maxim_deblurr"), "did you mean 'maxim_deblur'"),
        (("--task", "deblur", "--model", "maxim_deblur.red"), "did you mean 'reds'"),
        (("--task", "denoise", "--model", "maxim_denoise"), "are not available"),
        (("--input", "missing.png"), "no image at missing.png"),
    ],
)
@pytest.mark.usefixtures("unchecked_annotations")
def test_the_demo_explains_what_it_cannot_show(arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = demo(*arguments)
    assert result.exit_code == 1
    assert words in " ".join(result.output.split())
    assert list(tmp_path.iterdir()) == []
