"""Measuring models by the protocols of published data sets."""

from restorekit.evaluate.dnd import write_dnd_submission
from restorekit.evaluate.protocols import PROTOCOLS, Protocol, find_protocol
from restorekit.evaluate.report import write_report
from restorekit.evaluate.results import Evaluation, write_csv, write_results
from restorekit.evaluate.run import evaluate

__all__ = [
    "PROTOCOLS",
    "Evaluation",
    "Protocol",
    "evaluate",
    "find_protocol",
    "write_csv",
    "write_dnd_submission",
    "write_report",
    "write_results",
]
