"""Engines: they compute what PyTorch does, in tiles and all else alike, and what they cannot do is refused."""

import importlib.util

import numpy as np
import pytest
import torch

from restorekit.composition import compose
from restorekit.errors import OptionError
from restorekit.inference import InferenceOptions, Restorer, prepare
from restorekit.inference.engines import _network, best_engine

pytestmark = pytest.mark.usefixtures("unchecked_annotations")

UNET = {"stages": [{"name": "unet", "widths": [4, 6], "num_blocks": 1}] * 2}
engines = pytest.mark.parametrize(
    "engine", [pytest.param(name, marks=pytest.mark.skipif(importlib.util.find_spec(name) is None, reason="not installed"))
               for name in ("onnxruntime", "openvino")]
)  # fmt: skip


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("RESTOREKIT_HOME", str(tmp_path))
    return tmp_path / "engines"


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return compose(UNET).eval()


@pytest.fixture(scope="module")
def photo():
    return np.random.default_rng(0).integers(0, 256, (41, 150, 3), np.uint8)


@engines
def test_an_engine_restores_as_pytorch_does(engine, model, photo, home):
    for arguments in ({}, {"stages": 1}, {"ensemble": True}, {"tile": 48, "overlap": 8, "strength": 0.5}):
        wanted, found = (
            Restorer(model, InferenceOptions(engine=name, precision="float32", **arguments)) for name in ("torch", engine)
        )
        assert np.abs(found(photo).astype(int) - wanted(photo)).max() <= 1, arguments
        assert found.num_tiles == wanted.num_tiles
        assert found.describe("uint8") == wanted.describe("uint8") | {"engine": engine}


@engines
def test_the_second_start_takes_the_graph_from_the_cache_unless_it_is_damaged(engine, model, photo, home, monkeypatch):
    restore = Restorer(model, InferenceOptions(engine=engine, precision="float32"))
    first = restore(photo)
    (kept,) = home.iterdir()
    with monkeypatch.context() as patch:
        patch.setattr(_network, "checked", lambda *_, **__: pytest.fail("it was made again"))
        assert np.array_equal(Restorer(model, restore.options)(photo), first)
    content = kept.read_bytes()
    kept.write_bytes(content[:1000] + b"\0" * 1000 + content[2000:])
    assert np.array_equal(Restorer(model, restore.options)(photo), first)
    assert len(list(home.iterdir())) == 1
    other = compose(UNET)
    Restorer(other, restore.options)(photo)
    assert len(list(home.iterdir())) == 2, "other weights have their own graph"


@engines
def test_an_engine_whose_results_differ_is_refused_and_not_kept(engine, model, photo, home, monkeypatch):
    made = _network.ENGINES[engine]
    wrong = made._replace(load=lambda graph, precision: lambda image: made.load(graph, precision)(image) + 1)
    monkeypatch.setitem(_network.ENGINES, engine, wrong)
    with pytest.raises(OptionError, match=rf"engine {engine} cannot compute this network: .* differs .*; use the engine torch"):
        Restorer(model, InferenceOptions(engine=engine, precision="float32"))(photo)
    assert not home.exists()


def test_the_engine_is_chosen_for_the_network_and_what_is_installed(model, monkeypatch):
    naf = compose({"stages": [{"name": "unet", "widths": [4, 6], "num_blocks": 1, "block": "naf"}]})
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    found = [best_engine(network, dtype) for network in (model, naf) for dtype in (torch.float32, torch.bfloat16)]
    assert found == ["openvino", "openvino", "onnxruntime", "torch"]
    assert best_engine(prepare(model, precision="float32"), torch.float32) == "torch"
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert best_engine(model, torch.float32) == "torch"


def test_what_an_engine_cannot_do_is_refused(model, photo, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    for arguments, problem in (
        ({"engine": "tensorrt"}, "engine must be one of torch, onnxruntime, openvino, auto; got 'tensorrt'"),
        ({"engine": "openvino", "compile": True}, "engine must be torch or auto with compile=True; got openvino"),
        ({"engine": "onnxruntime", "pooling": "local"}, "engine must be torch or auto with pooling=local; got onnxruntime"),
    ):
        with pytest.raises(OptionError, match=problem):
            InferenceOptions(**arguments)
    with pytest.raises(OptionError, match="precision must be float32 with the engine onnxruntime; got bfloat16"):
        Restorer(model, InferenceOptions(engine="onnxruntime", precision="bfloat16"))(photo)
    with pytest.raises(OptionError, match="engine must be torch or auto for a prepared network; pass the network itself"):
        Restorer(prepare(model), InferenceOptions(engine="openvino"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(OptionError, match=r"engine openvino needs onnx and openvino: pip install 'restorekit\[openvino\]'"):
        InferenceOptions(engine="openvino")
