"""What loads a graph into each engine."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy.typing as npt
import torch

Run = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]
HINTS = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}
SHAPES = 8  # that stay compiled: a size, or those of tiles, and turned by the ensemble


class Engine(NamedTuple):
    """An engine.

    Attributes:
        precisions: what it can compute in.
        load: returns a function that runs an ONNX graph, in a precision.
    """

    precisions: tuple[str, ...]
    load: Callable[[bytes, str], Run]


def _onnxruntime(graph: bytes, precision: str) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return session.run(None, {name: image})[0]

    return run


def _openvino(graph: bytes, precision: str) -> Run:
    """Return what runs the graph; it is compiled for each shape, because for unknown shapes it takes up to 1.4 times as long."""
    import openvino

    core = openvino.Core()
    flexible = core.read_model(graph, b"")
    settings = {"INFERENCE_PRECISION_HINT": HINTS[precision], "INFERENCE_NUM_THREADS": torch.get_num_threads()}
    compiled: OrderedDict[tuple[int, ...], Any] = OrderedDict()

    def run(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if image.shape not in compiled:
            model = flexible.clone()
            model.reshape(list(image.shape))
            compiled[image.shape] = core.compile_model(model, "CPU", settings)
            if len(compiled) > SHAPES:
                compiled.popitem(last=False)
        return compiled[image.shape](image)[0].copy()

    return run


ENGINES = {"onnxruntime": Engine(("float32",), _onnxruntime), "openvino": Engine(("float32", "bfloat16"), _openvino)}
