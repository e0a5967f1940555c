"""Formats of checkpoints: each is recognised by its content, and what it cannot read is an error that helps."""

import re

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from restorekit import CheckpointError
from restorekit.checkpoints import read_checkpoint, read_metadata
from restorekit.checkpoints.formats import Format, format_of, format_to_write, formats, weight_suffixes

STATE = {"body.weight": torch.arange(6.0).reshape(2, 3)}


def save_npz(path):
    with path.open("wb") as file:  # a path would get a suffix
        np.savez(file, **{name: tensor.numpy() for name, tensor in STATE.items()})


WRITE = {
    "safetensors": lambda path: save_file(STATE, path),
    "torch": lambda path: torch.save(STATE, path),
    "torch, as older versions": lambda path: torch.save(STATE, path, _use_new_zipfile_serialization=False),
    "npz": save_npz,
}


@pytest.mark.parametrize("suffix", [".safetensors", ".pth", ".npz", ".weights", ""])
@pytest.mark.parametrize("kind", WRITE)
def test_content_tells_the_format_whatever_the_name(kind, suffix, tmp_path):
    path = tmp_path / f"file{suffix}"
    WRITE[kind](path)
    assert format_of(path) is formats.get(kind.partition(",")[0])
    assert torch.equal(read_checkpoint(path)["body.weight"], STATE["body.weight"])


@pytest.mark.parametrize(
    ("suffix", "words"),
    [
        (".safetensors", "truncated or not a safetensors file"),
        (".pth", r"truncated or not a checkpoint(; download it again)?$"),
        (".npz", "truncated or not an archive of numpy arrays|contains pickled objects"),
        (".tgz", "model.json is not from a TensorFlow.js graph model"),
        (".weights", "truncated or not a checkpoint; formats that can be read: npz, safetensors, tfjs, torch"),
    ],
)
@pytest.mark.parametrize("content", [b"", b"nothing in particular"])
def test_a_file_that_shows_no_format_is_what_its_suffix_says(suffix, words, content, tmp_path):
    path = tmp_path / f"file{suffix}"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=words):
        read_checkpoint(path)


def test_only_some_formats_have_metadata(tmp_path):
    torch.save(STATE, tmp_path / "weights.pth")
    assert read_metadata(tmp_path / "weights.pth") == {}


def test_formats_that_are_written_are_named():
    assert format_to_write("model.ckpt") is formats.get("torch")
    with pytest.raises(ValueError, match=re.escape("weights are written to files that end in .safetensors, .pth; got model.npz")):
        format_to_write("model.npz")


def test_safetensors_are_preferred():
    assert weight_suffixes()[:2] == (".safetensors", ".pth")


def test_a_new_format_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(formats, "_entries", dict(formats._entries))
    text = Format(
        (".txt",), lambda path: path.read_text()[:4] == "TEXT", lambda path: {"weight": torch.ones(len(path.read_text()))}
    )
    formats.add("text", text)
    (tmp_path / "weights.bin").write_text("TEXT12")
    assert read_checkpoint(tmp_path / "weights.bin")["weight"].shape == (6,)
    assert ".txt" in weight_suffixes()
