"""Targets of export: what is written computes what the network does, and what is wrong is said before."""

import pytest
import torch

from restorekit.composition import compose
from restorekit.errors import OptionError
from restorekit.export import _torch, export_model, find_exporter, list_exporters, register_exporter
from restorekit.export._registry import _exporters


@pytest.fixture(scope="module")
def model():
    return compose({"stages": [{"name": "unet", "widths": [4, 6], "num_blocks": 1}], "image_channels": 1})


def test_every_target_says_what_its_files_are_called():
    assert list_exporters()
    for name in list_exporters():
        exporter = find_exporter(name)
        assert exporter.name == name
        assert exporter.suffixes
        assert all(suffix.startswith(".") for suffix in exporter.suffixes)


@pytest.mark.usefixtures("unchecked_annotations")
def test_a_program_of_torch_computes_the_network_at_another_size(model, tmp_path):
    export_model(model, tmp_path / "model.pt2", "torch")
    assert model.training, "the network of the caller stays as it is"
    program = torch.export.load(tmp_path / "model.pt2").module()
    image = torch.rand(1, 1, 3 * model.size_multiple, 5 * model.size_multiple)
    torch.testing.assert_close(program(image), model.eval()(image), rtol=1e-4, atol=1e-5)
    model.train()


@pytest.mark.usefixtures("unchecked_annotations")
def test_a_program_that_computes_something_else_is_not_written(model, tmp_path, monkeypatch):
    monkeypatch.setattr(_torch, "TOLERANCE", -1.0)
    with pytest.raises(RuntimeError, match=r"model\.pt2 was not written: at 4x6, the program differs"):
        export_model(model, tmp_path / "model.pt2", "torch")
    assert not list(tmp_path.iterdir())


def test_what_is_wrong_is_said_before_anything_is_computed(model, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="unknown exporter 'torhc'; did you mean 'torch'"):
        export_model(model, tmp_path / "model.pt2", "torhc")
    with pytest.raises(OptionError, match=r"path must end in \.pt2 for the target 'torch'; got .*model\.onnx"):
        export_model(model, tmp_path / "model.onnx", "torch")
    monkeypatch.setattr(_exporters, "_entries", {name: find_exporter(name) for name in list_exporters()})

    @register_exporter("absent", suffixes=[".a"], extra="absent")
    def export_absent(model, path):
        import a_package_that_is_absent  # noqa: F401

    with pytest.raises(OptionError, match=r"'absent' needs a_package_that_is_absent: pip install 'restorekit\[absent\]'"):
        export_model(model, tmp_path / "model.a", "absent")
