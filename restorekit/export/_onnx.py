"""ONNX, which ONNX Runtime, OpenVINO, TensorRT, browsers and phones run."""

import io
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt
import torch

from restorekit.errors import ExportError
from restorekit.export._program import Program
from restorekit.export._registry import Run, register_exporter

if TYPE_CHECKING:
    import onnx

OPSET = 18  # the first that can resize with antialiasing; ONNX Runtime from 1.14 on, OpenVINO from 2023.1 on
LARGEST = 1_500_000_000  # bytes in one file; protobuf reads up to 2 GB
INPUT, OUTPUT = "image", "restored"


@register_exporter("onnx", suffixes=(".onnx",), extra="onnx")
def export_onnx(program: Program, path: Path) -> Run:
    """Write an ONNX file; weights of more than 1.5 GB go into a second file next to it, NAME.onnx.data."""
    import onnx
    import onnxruntime  # noqa: F401  # without which the file could not be checked

    model = traced(program, path)
    for key, value in program.facts.items():
        model.metadata_props.add(key=key, value=value)
    large = model.ByteSize() > LARGEST
    onnx.save(model, path, save_as_external_data=large, location=f"{path.name}.data" if large else None)
    return session(path)


def traced(program: Program, path: Path) -> "onnx.ModelProto":
    """Return a program as an ONNX graph, whose number of images, height and width are free.

    The graph is traced, which takes seconds; the exporter that goes through ``torch.export`` gives the same results but takes many
    times as long, because of the many operations of large networks.

    Raises:
        ExportError: if ONNX has no such operation.
    """
    import onnx
    from torch.onnx.utils import register_custom_op_symbolic

    example = program.example((2 * program.network.size_multiple + 3, program.network.size_multiple + 5), number=2)
    free = {0: "n", 2: "height", 3: "width"}
    scaled = {0: "n", 2: "restored_height", 3: "restored_width"}
    for operation, expressed in EXPRESSED.items():
        register_custom_op_symbolic(operation, expressed, OPSET)
    with torch.no_grad(), redirect_stdout(io.StringIO()), warnings.catch_warnings():  # it prints the graph if it fails
        warnings.simplefilter("ignore")  # conditions in Python, such as checks of sizes: the finished file is checked instead
        try:
            torch.onnx.export(
                program,
                (example,),
                path,
                dynamo=False,
                opset_version=OPSET,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_axes={INPUT: free, OUTPUT: scaled},
            )
        except torch.onnx.errors.OnnxExporterError as error:
            raise ExportError(
                f"ONNX cannot express this network: {str(error).splitlines()[0]}; replace the part, or export with --to torch"
            ) from error
    return onnx.load(path)


def _antialiased(g: Any, image: Any, size: Any, align_corners: Any, *scales: Any) -> Any:
    """Return the operation for bilinear interpolation with antialiasing, which the exporter of PyTorch does not know."""
    shape = g.op("Shape", image, start_i=0, end_i=2)
    absent = g.op("Constant", value_t=torch.tensor([], dtype=torch.float32))
    sizes = g.op("Concat", shape, size, axis_i=0)
    return g.op(
        "Resize",
        image,
        absent,
        absent,
        sizes,
        antialias_i=1,
        exclude_outside_i=1,
        mode_s="linear",
        coordinate_transformation_mode_s="half_pixel",
    )


def _normalised(g: Any, x: Any, shape: Any, weight: Any, bias: Any, epsilon: Any, *_: Any) -> Any:
    """Return the operations of layer normalisation, which the exporter of PyTorch knows for sizes that do not change only."""
    from torch.onnx import symbolic_helper as helper

    dimensions = len(helper._unpack_list(shape) if shape.node().kind() == "prim::ListConstruct" else helper._parse_arg(shape, "is"))
    small = helper._parse_arg(epsilon, "f")
    if not helper._is_none(weight):
        given = [weight] if helper._is_none(bias) else [weight, bias]
        return g.op("LayerNormalization", x, *given, epsilon_f=small, axis_i=-dimensions)
    axes = g.op("Constant", value_t=torch.arange(-dimensions, 0))
    centred = g.op("Sub", x, g.op("ReduceMean", x, axes))
    variance = g.op("ReduceMean", g.op("Mul", centred, centred), axes)
    smallest = g.op("CastLike", g.op("Constant", value_t=torch.tensor(small, dtype=torch.float32)), variance)
    return g.op("Div", centred, g.op("Sqrt", g.op("Add", variance, smallest)))


EXPRESSED: dict[str, Callable[..., Any]] = {"aten::_upsample_bilinear2d_aa": _antialiased, "aten::layer_norm": _normalised}


def session(path: Path) -> Run:
    """Return a function that runs an ONNX file in ONNX Runtime."""
    import onnxruntime

    found = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return found.run(None, {INPUT: image})[0]

    return run
