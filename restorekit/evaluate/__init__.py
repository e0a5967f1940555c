"""Measuring models by the protocols of published data sets."""

from restorekit.evaluate._dnd import write_dnd_submission
from restorekit.evaluate._outputs import PAGE, RESULTS, TABLE, about_submission, foreign_files
from restorekit.evaluate._report import write_report
from restorekit.evaluate._results import Evaluation, ImageResult, Picture, published_text, write_csv, write_results
from restorekit.evaluate._run import describe, evaluate
from restorekit.evaluate.protocols import DND, Example, Protocol, Published, find_protocol, list_protocols, register_protocol

__all__ = [
    "DND",
    "PAGE",
    "RESULTS",
    "TABLE",
    "Evaluation",
    "Example",
    "ImageResult",
    "Picture",
    "Protocol",
    "Published",
    "about_submission",
    "describe",
    "evaluate",
    "find_protocol",
    "foreign_files",
    "list_protocols",
    "published_text",
    "register_protocol",
    "write_csv",
    "write_dnd_submission",
    "write_report",
    "write_results",
]

__dir__ = __all__.copy
