"""OpenVINO's own format: a graph in NAME.xml and its weights in NAME.bin."""

from pathlib import Path
from typing import Any

import numpy.typing as npt

from restorekit.errors import ExportError
from restorekit.export._onnx import traced
from restorekit.export._program import Program
from restorekit.export._registry import Run, register_exporter


@register_exporter("openvino", suffixes=(".xml",), extra="openvino")
def export_openvino(program: Program, path: Path) -> Run:
    """Write NAME.xml and NAME.bin; the facts are in the XML, under rt_info/restorekit."""
    import openvino

    graph = path.with_suffix(".onnx")
    traced(program, graph)
    try:
        model = openvino.convert_model(graph)
    except RuntimeError as error:  # openvino.GeneralFailure, OpConversionFailure
        raise ExportError(
            f"OpenVINO cannot express this network: {_reason(error)}; replace the part, or export with --to onnx"
        ) from error
    for key, value in program.facts.items():
        model.set_rt_info(value, ["restorekit", key])
    openvino.save_model(model, path, compress_to_fp16=False)  # the program has the precision that was asked for
    graph.unlink()
    compiled = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def run(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return compiled(image)[0]

    return run


def _reason(error: Exception) -> str:
    """Return the most telling line of an error."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in lines if "onversion" in line or "nsupported" in line), lines[0])
