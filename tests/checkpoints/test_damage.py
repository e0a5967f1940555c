"""Checkpoints that are damaged, foreign or made to harm: each is a CheckpointError that says what is wrong."""

import gzip
import io
import json
import pickle
import tarfile
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from restorekit import CheckpointError, create_model, load_weights
from restorekit.checkpoints import read_checkpoint
from restorekit.checkpoints.formats import _archives
from restorekit.models import model_from_checkpoint

STATE = {"body.weight": torch.arange(600.0).reshape(20, 30)}


def refused(path, words):
    with pytest.raises(CheckpointError, match=words) as raised:
        read_checkpoint(path)
    assert path.name in str(raised.value)


def write_zip(path, method, **entries):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)


# ---- damage


def save_npz(path):
    np.savez(path, **{name: tensor.numpy() for name, tensor in STATE.items()})


@pytest.mark.parametrize(("name", "save"), [("x.pth", lambda path: torch.save(STATE, path)), ("x.npz", save_npz)])
def test_a_flipped_bit_in_the_numbers_is_noticed(name, save, tmp_path):
    path = tmp_path / name
    save(path)
    content = bytearray(path.read_bytes())
    content[content.index(STATE["body.weight"].numpy().tobytes()) + 1000] ^= 4
    path.write_bytes(content)
    refused(path, r"it is damaged: '.*' in it does not have its checksum; download it again")


def test_a_file_without_checksums_is_read(tmp_path):
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(STATE, tmp_path / "x.pth")
    finally:
        torch.serialization.set_crc32_options(True)
    assert read_checkpoint(tmp_path / "x.pth")["body.weight"].equal(STATE["body.weight"])


def test_an_old_file_cut_anywhere_is_truncated(tmp_path):
    path, file = tmp_path / "x.pth", io.BytesIO()
    torch.save(STATE, file, _use_new_zipfile_serialization=False)
    content = file.getvalue()
    for kept in (*range(0, len(content) - 2400, 11), len(content) - 1000, len(content) - 1):
        path.write_bytes(content[:kept])
        refused(path, "is truncated or not a checkpoint")


@pytest.mark.parametrize(("name", "save"), [("x.pth", lambda path: torch.save(STATE, path)), ("x.npz", save_npz)])
def test_an_archive_that_lacks_its_start_is_damaged(name, save, tmp_path):
    path = tmp_path / name
    save(path)
    path.write_bytes(path.read_bytes()[20:])
    refused(path, r"it is a damaged archive \(\[Errno 22\]")


def test_an_array_whose_header_is_no_python_is_refused(tmp_path):
    header = b"{'descr': '<f4', 'shape': (" + b" " * 90 + b"\n"
    write_zip(tmp_path / "x.npz", zipfile.ZIP_STORED, **{"a.npy": b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header})
    refused(tmp_path / "x.npz", "it is truncated or not an archive of numpy arrays: the header of 'a.npy' is damaged")


class Parameter:
    """Unpickles to a parameter made from something that is no tensor."""

    def __init__(self, *arguments):
        self.arguments = arguments

    def __reduce__(self):
        return torch._utils._rebuild_parameter, self.arguments


def test_a_pickle_of_something_else_is_refused(tmp_path):
    path = tmp_path / "x.pth"
    path.write_bytes(pickle.dumps(Parameter(1, 1, 1), protocol=2))
    refused(path, "is truncated or not a checkpoint")


# ---- what would take all the memory


@pytest.fixture
def small_archives(monkeypatch):
    """Archives may unpack to only a little, so that tests need not be large."""
    monkeypatch.setattr(_archives, "UNPACKED", 10_000)


BOMB = r"it unpacks to at least [\d,]+ bytes, and the limit is 10,000; if you trust its source, set RESTOREKIT_MAX_SIZE=\d+ for"


def test_an_array_that_declares_more_than_it_has_is_refused(tmp_path):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (3_000_000_000,)})
    write_zip(tmp_path / "x.npz", zipfile.ZIP_STORED, **{"a.npy": file.getvalue() + bytes(64)})
    refused(tmp_path / "x.npz", r"'a\.npy' declares 12,000,000,000 bytes of numbers, but has 192")


@pytest.mark.parametrize("name", ["x.pth", "x.npz"])
def test_an_archive_that_unpacks_to_much_more_is_refused(name, tmp_path, small_archives, monkeypatch):
    write_zip(tmp_path / name, zipfile.ZIP_DEFLATED, **{"a.npy" if "npz" in name else "x/data.pkl": bytes(10**6)})
    refused(tmp_path / name, BOMB)
    monkeypatch.setenv("RESTOREKIT_MAX_SIZE", "100")
    refused(tmp_path / name, "is truncated or not")


def test_a_package_that_unpacks_to_much_more_is_refused(tmp_path, small_archives):
    (tmp_path / "x.tgz").write_bytes(gzip.compress(bytes(10**6)))
    refused(tmp_path / "x.tgz", BOMB)


def package(path, model):
    content = model if isinstance(model, bytes) else json.dumps(model).encode()
    with tarfile.open(path, "w:gz") as archive:
        entry = tarfile.TarInfo("package/models/model.json")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))


WEIGHT = {"name": "w", "dtype": "float32", "shape": [2]}


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (b"[" * 10**5, r"model\.json is nested too deeply"),
        (b"[]", "got \\[\\]|must be a"),
        ({"weightsManifest": 3, "modelTopology": {"node": []}}, "weightsManifest must be a list; got 3"),
        ({"weightsManifest": [], "modelTopology": []}, "modelTopology must be a"),
        ({"weightsManifest": [], "modelTopology": {"node": [1]}}, r"modelTopology\.node\[0\] must be a"),
        (
            {"weightsManifest": [{"paths": [3], "weights": []}], "modelTopology": {"node": []}},
            r"paths\[0\] must be a string; got 3",
        ),
        (
            {"weightsManifest": [{"paths": [], "weights": [WEIGHT | {"dtype": "object"}]}], "modelTopology": {"node": []}},
            r"weightsManifest\[0\]\.weights\[0\]\.dtype must be .*; got 'object'",
        ),
        (
            {"weightsManifest": [{"paths": [], "weights": [WEIGHT | {"shape": [-1]}]}], "modelTopology": {"node": []}},
            r"shape\[0\] must be at least 0; got -1",
        ),
        (
            {"weightsManifest": [{"paths": [], "weights": [WEIGHT | {"shape": [2**62]}]}], "modelTopology": {"node": []}},
            "w ends at byte .*, but its files contain 0 bytes",
        ),
    ],
    ids=lambda case: str(case)[:60],
)
def test_a_graph_model_of_wrong_types_is_refused(model, words, tmp_path):
    package(tmp_path / "x.tgz", model)
    refused(tmp_path / "x.tgz", words)


@pytest.mark.parametrize(
    "state",
    [
        {"a." * 10**5 + "w": torch.zeros(1)},
        {"intro.weight": torch.tensor(1.0), "ending.weight": torch.zeros(3), "a.sca.1.weight": torch.zeros(3)},
        {"conv_01.weight": torch.zeros(3), "cat12.weight": torch.zeros(3), "down_path_1.0.identity.weight": torch.zeros(3)},
    ],
    ids=["a long name", "names of NAFNet", "names of HINet"],
)
def test_names_and_shapes_of_no_network_are_refused(state, tmp_path):
    torch.save(state, tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match=r"x\.pth does not belong to a registered model"):
        model_from_checkpoint(tmp_path / "x.pth")


# ---- types of numbers


@pytest.fixture(scope="module")
def model():
    return create_model("nafnet", width=4, encoder_blocks=(1,), decoder_blocks=(1,))


@pytest.mark.parametrize(
    "dtype",
    [torch.int64, torch.int8, torch.bool, torch.uint16, torch.complex64, torch.float8_e4m3fn, torch.float8_e5m2],
    ids=str,
)
def test_numbers_of_other_types_are_refused(dtype, model, tmp_path):
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state["stems.0.0.bias"] = state["stems.0.0.bias"].to(dtype)
    torch.save(state, tmp_path / "x.pth")
    save_file(state, tmp_path / "x.safetensors")
    for path in (tmp_path / "x.pth", tmp_path / "x.safetensors"):
        with pytest.raises(CheckpointError, match=rf"1 of a wrong type \(stems\.0\.0\.bias is {dtype}, expected torch\.float32\)"):
            load_weights(model, path)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_other_floats_are_read(dtype, model, tmp_path):
    torch.save({name: tensor.to(dtype) for name, tensor in model.state_dict().items()}, tmp_path / "x.pth")
    load_weights(model, tmp_path / "x.pth")
    assert {tensor.dtype for tensor in model.state_dict().values()} == {torch.float32}


def test_numbers_in_another_order_of_bytes_are_read(tmp_path):
    np.savez(tmp_path / "x.npz", a=np.arange(3, dtype=">f4"))
    assert read_checkpoint(tmp_path / "x.npz")["a"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("value", ["longdouble", "U3", "V2"])
def test_arrays_that_pytorch_cannot_represent_are_refused(value, tmp_path):
    np.savez(tmp_path / "x.npz", a=np.zeros(3, value))
    refused(tmp_path / "x.npz", "contains no state dict: 'a' is a ndarray of .*, expected a tensor")


@pytest.mark.parametrize("value", [torch.zeros(3, 3).to_sparse(), torch.zeros(3, device="meta")], ids=["sparse", "meta"])
def test_tensors_without_plain_numbers_are_refused(value, tmp_path):
    torch.save({"a": value}, tmp_path / "x.pth")
    refused(tmp_path / "x.pth", "contains no state dict: 'a' is a Tensor of .*, expected a tensor")


def test_a_type_that_pytorch_lacks_is_refused(tmp_path):
    header = json.dumps({"a": {"dtype": "F8_E8M0", "shape": [4], "data_offsets": [0, 4]}}).encode()
    for dtype in (b"F8_E8M0", b"F4", b"F128"):
        content = header.replace(b"F8_E8M0", dtype)
        (tmp_path / "x.safetensors").write_bytes(len(content).to_bytes(8, "little") + content + bytes(4))
        with pytest.raises(CheckpointError, match=r"x\.safetensors"):
            load_weights(create_model("nafnet", width=4), tmp_path / "x.safetensors")


# ---- names


@pytest.mark.parametrize("name", ["\x1b]0;owned\x07", "a\x9b31mred", "a\rb", "\u202egnp.exe"])
def test_a_name_cannot_command_a_terminal(name, model, tmp_path):
    torch.save({name: torch.zeros(1)}, tmp_path / "x.pth")
    for content in (tmp_path / "x.pth", {name: torch.zeros(1)}, {name: 3}, {"model": {name: torch.zeros(1)}}):
        with pytest.raises(CheckpointError) as raised:
            load_weights(model, content)
        assert name not in str(raised.value)
        assert str(raised.value).isprintable()
        assert ascii(name)[1:5] in str(raised.value)
