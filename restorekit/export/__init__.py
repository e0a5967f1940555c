"""Exporting networks to formats that other programs run.

A target is a registered function ``(program, path)``: it writes the program to a file, and returns a function that runs the file.
:func:`export_model` compares its results with the network before the file appears. A file in this folder that registers a target
is discovered automatically.
"""

from restorekit.export._check import Check, checked
from restorekit.export._onnx import traced
from restorekit.export._program import Precision, Program
from restorekit.export._registry import (
    Exported,
    Exporter,
    check_target,
    export_model,
    find_exporter,
    list_exporters,
    register_exporter,
)

__all__ = [
    "Check",
    "Exported",
    "Exporter",
    "Precision",
    "Program",
    "check_target",
    "checked",
    "export_model",
    "find_exporter",
    "list_exporters",
    "register_exporter",
    "traced",
]

__dir__ = __all__.copy
