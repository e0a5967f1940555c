"""Measuring models by the protocols of published data sets."""

from restorekit.evaluate._dnd import write_dnd_submission
from restorekit.evaluate._protocols import DND, PROTOCOLS, Example, Protocol, find_protocol
from restorekit.evaluate._report import write_report
from restorekit.evaluate._results import Evaluation, ImageResult, Picture, published_text, write_csv, write_results
from restorekit.evaluate._run import describe, evaluate

__all__ = [
    "DND",
    "PROTOCOLS",
    "Evaluation",
    "Example",
    "ImageResult",
    "Picture",
    "Protocol",
    "describe",
    "evaluate",
    "find_protocol",
    "published_text",
    "write_csv",
    "write_dnd_submission",
    "write_report",
    "write_results",
]

__dir__ = __all__.copy
