"""Measuring models by the protocols of published data sets."""

from restorekit.evaluate._dnd import write_dnd_submission
from restorekit.evaluate._report import write_report
from restorekit.evaluate._results import Evaluation, ImageResult, Picture, published_text, write_csv, write_results
from restorekit.evaluate._run import describe, evaluate
from restorekit.evaluate.protocols import DND, Example, Protocol, Published, find_protocol, list_protocols, register_protocol

__all__ = [
    "DND",
    "Evaluation",
    "Example",
    "ImageResult",
    "Picture",
    "Protocol",
    "Published",
    "describe",
    "evaluate",
    "find_protocol",
    "list_protocols",
    "published_text",
    "register_protocol",
    "write_csv",
    "write_dnd_submission",
    "write_report",
    "write_results",
]

__dir__ = __all__.copy
