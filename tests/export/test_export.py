"""Export: what is written computes what the network does at any size, and what is wrong is said before a file appears."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from _helpers.descriptors import FAMILIES, MODELS
from _helpers.marks import mostly_nightly
from restorekit.cli import app
from restorekit.composition import compose
from restorekit.errors import ExportError, OptionError
from restorekit.export import _check, _onnx, export_model, find_exporter, list_exporters, register_exporter
from restorekit.export._program import padded_places
from restorekit.export._registry import _exporters
from restorekit.ops import pad_centred, pad_to_multiple

pytestmark = pytest.mark.usefixtures("unchecked_annotations")

# Two stages, of which the first works on patches, so that images must be padded to multiples of 4.
PATCHES = {
    "stages": [
        {"name": "unet", "widths": [4, 6], "num_blocks": 1},
        {"name": "orsnet", "width": 4, "num_orbs": 1, "num_blocks": 1, "guided": True},
    ],
    "grids": [[2, 1], [1, 1]],
}


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return compose(PATCHES)


@pytest.fixture
def onnx():
    pytest.importorskip("onnxruntime")
    return pytest.importorskip("onnx")


def test_every_target_says_what_its_files_are_called():
    assert list_exporters()
    for name in list_exporters():
        exporter = find_exporter(name)
        assert exporter.name == name
        assert exporter.suffixes
        assert all(suffix.startswith(".") for suffix in exporter.suffixes)


@pytest.mark.parametrize("multiple", [1, 4, 8])
@pytest.mark.parametrize("side", [1, 2, 3, 7, 8, 13])
def test_padding_of_unknown_sizes_is_that_of_inference(side, multiple):
    image = torch.rand(1, 1, side, 1)
    start, places = padded_places(side, multiple, "corner")
    assert start == 0
    assert torch.equal(image.index_select(2, places), pad_to_multiple(image.expand(-1, -1, -1, multiple), multiple)[..., :1])
    start, places = padded_places(side, multiple, "centre")
    padded, (top, left) = pad_centred(image, multiple)
    assert start == top
    assert torch.equal(image.index_select(2, places), padded[..., left : left + 1])


def test_a_program_of_torch_computes_the_network_at_another_size(model, tmp_path):
    written = export_model(model, tmp_path / "model.pt2", "torch", uint8=True)
    assert model.training, "the network of the caller stays as it is"
    facts = {"restorekit": ""}
    program = torch.export.load(tmp_path / "model.pt2", extra_files=facts).module()
    assert json.loads(facts["restorekit"])["range"] == "0 to 255"
    assert program(torch.zeros(1, 3, 9, 30, dtype=torch.uint8)).shape == (1, 3, 9, 30)
    assert written.check.difference <= 1


@pytest.mark.parametrize(("precision", "uint8"), [("float32", False), ("float16", True)])
def test_onnx_takes_images_of_any_size_and_number(model, tmp_path, onnx, precision, uint8):
    import onnxruntime

    written = export_model(model, tmp_path / "model.onnx", precision=precision, uint8=uint8)
    assert written.files == (tmp_path / "model.onnx",)
    assert list(tmp_path.iterdir()) == [tmp_path / "model.onnx"]
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    kind = np.uint8 if uint8 else np.float32
    for shape in ((1, 3, 5, 7), (3, 3, 16, 9), (1, 3, 1, 1)):
        (restored,) = session.run(None, {"image": np.ones(shape, kind)})
        assert (restored.shape, restored.dtype) == (shape, kind)
    facts = session.get_modelmeta().custom_metadata_map
    assert facts["size_multiple"] == str(model.size_multiple)
    assert facts["licence"] == "not stated"
    assert len(facts["weights_sha256"]) == 64


def test_clamping_is_inside_the_file(tmp_path, onnx):
    bright = compose(PATCHES | {"image_channels": 1})
    nn.init.constant_(bright.heads[0].to_image.weight, 3.0)
    for clamp in (False, True):
        export_model(bright, tmp_path / "model.onnx", clamp=clamp)
        restored = _onnx.session(tmp_path / "model.onnx")(np.random.default_rng(0).random((1, 1, 9, 9), np.float32))
        assert (restored.min() >= 0 and restored.max() <= 1) == clamp


def test_large_weights_are_in_a_second_file(model, tmp_path, onnx, monkeypatch):
    monkeypatch.setattr(_onnx, "LARGEST", 1000)
    written = export_model(model, tmp_path / "model.onnx")
    assert [file.name for file in written.files] == ["model.onnx.data", "model.onnx"]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["model.onnx", "model.onnx.data"]
    assert _onnx.session(tmp_path / "model.onnx")(np.zeros((1, 3, 4, 4), np.float32)).shape == (1, 3, 4, 4)


def test_openvino_writes_graph_and_weights_with_the_facts(model, tmp_path):
    openvino = pytest.importorskip("openvino")
    written = export_model(model, tmp_path / "model.xml", "openvino")
    assert [file.name for file in written.files] == ["model.bin", "model.xml"]
    read = openvino.Core().read_model(tmp_path / "model.xml")
    assert read.get_rt_info(["restorekit", "size_multiple"]).value == str(model.size_multiple)


@mostly_nightly("name", FAMILIES, {"nafnet", "hinet"})
def test_every_family_can_be_exported_to_onnx(name, tmp_path, onnx):
    torch.manual_seed(0)
    assert export_model(MODELS[name].make(name), tmp_path / "model.onnx").check.passed


@pytest.mark.nightly
@pytest.mark.parametrize("to", ["torch", "openvino"])
@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_can_be_exported_or_is_refused(name, to, tmp_path):
    if to == "openvino":
        pytest.importorskip("openvino")
    torch.manual_seed(0)
    output = tmp_path / f"model{find_exporter(to).suffixes[0]}"
    if (name, to) == ("maxim", "openvino"):  # whose antialiased resizing is another one
        with pytest.raises(ExportError, match="was not written"):
            export_model(MODELS[name].make(name), output, to)
        assert not list(tmp_path.iterdir())
    else:
        assert export_model(MODELS[name].make(name), output, to).check.passed


def test_a_program_that_computes_something_else_is_not_written(model, tmp_path, monkeypatch):
    monkeypatch.setattr(_exporters, "_entries", {name: find_exporter(name) for name in list_exporters()})

    @register_exporter("wrong", suffixes=[".w"])
    def export_wrong(program, path):
        path.write_text("wrong")
        return lambda image: program(torch.from_numpy(image)).numpy() + (image.shape[2] == 1)

    (tmp_path / "model.w").write_text("mine")
    with pytest.raises(ExportError, match=r"model\.w was not written: at 1 x 1 x 3, the program differs from the network by 1,"):
        export_model(model, tmp_path / "model.w", "wrong")
    assert (tmp_path / "model.w").read_text() == "mine"
    assert list(tmp_path.iterdir()) == [tmp_path / "model.w"]


def test_a_result_that_is_not_a_number_is_never_accepted(model):
    program = find_exporter("torch") and _check.Program(model.eval())
    check = _check.checked(model, program, lambda image: np.full(image.shape, np.nan, np.float32), tiny=True)
    assert not check.passed
    model.train()


def test_a_part_that_onnx_does_not_have_is_named(tmp_path, onnx, capsys):
    network = compose(PATCHES)
    network.heads[0].to_image.register_forward_hook(lambda module, inputs, output: torch.special.i1e(output))
    with pytest.raises(ExportError, match=r"ONNX cannot express this network: .*i1e.*; replace the part, or .* --to torch"):
        export_model(network, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())
    assert not capsys.readouterr().out


def test_what_is_wrong_is_said_before_anything_is_computed(model, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="unknown exporter 'torhc'; did you mean 'torch'"):
        export_model(model, tmp_path / "model.pt2", "torhc")
    with pytest.raises(OptionError, match=r"output must end in \.pt2 for the target 'torch'; got .*model\.onnx"):
        export_model(model, tmp_path / "model.onnx", "torch")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        export_model(model, tmp_path / "nowhere" / "model.onnx")
    with pytest.raises(OptionError, match="precision must be float32 or float16; got 'int8'"):
        export_model(model, tmp_path / "model.onnx", precision="int8")
    noisy = compose(PATCHES | {"conditions": ["noise_level"]})
    with pytest.raises(OptionError, match=r"uint8 .* its conditions \(noise_level\) are not 8-bit numbers"):
        export_model(noisy, tmp_path / "model.onnx", uint8=True)
    monkeypatch.setattr(_exporters, "_entries", {name: find_exporter(name) for name in list_exporters()})

    @register_exporter("absent", suffixes=[".a"], extra="absent")
    def export_absent(program, path):
        import a_package_that_is_absent  # noqa: F401

    with pytest.raises(OptionError, match=r"to absent needs a_package_that_is_absent: pip install 'restorekit\[absent\]'"):
        export_model(model, tmp_path / "model.a", "absent")
    assert not list(tmp_path.iterdir())


def test_the_command_exports_a_composition_with_weights(model, tmp_path, onnx, capsys):
    model.save_pretrained(tmp_path)
    (tmp_path / "network.json").write_text(json.dumps(model.config))
    weights = next(tmp_path.glob("*.safetensors"))
    output = tmp_path / "model.onnx"

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            app(["export", str(tmp_path / "network.json"), "-o", str(output), *arguments])
        streams = capsys.readouterr()
        return ended.value.code, streams.out + streams.err

    status, said = run("--weights", str(weights))
    assert status == 0, said
    assert "largest difference from the network " in said
    status, said = run("--weights", str(weights))
    assert status == 2
    assert "exists; choose another name, or pass --overwrite" in said
    status, said = run("--overwrite")
    assert (status, "has no weights; pass those" in said) == (2, True)
