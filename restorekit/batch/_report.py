"""A report of the outcome of each file: JSON, one object per line."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from restorekit._files import atomic_path
from restorekit.batch._compare import comparison_path
from restorekit.batch._jobs import Job
from restorekit.batch._pipeline import Outcome

START = b'{"input": '  # of every line
STATUSES = ("restored", "failed", "skipped")


class ReportFile:
    """Writes a line for each job when it ends, so that a killed process loses at most the last line.

    An existing report is continued, and a truncated last line is removed. A file that was restored by an earlier call keeps its
    line from then. Nothing is written before the first line.

    Args:
        path: path of the report; its folder must exist. An existing file must be a report, or empty.
        common: data that is added to each line.

    Raises:
        ValueError: if the file is not a report; it is not touched.
        OSError: if there is no folder for it, or it cannot be read or written.
    """

    def __init__(self, path: Path, common: Mapping[str, Any] | None = None) -> None:
        self.path, self.common = path, dict(common or {})
        self._known = {line["output"] for line in _lines_of(path) if line["status"] != "failed"}
        _check_writable(path)
        self._open = False

    def add(self, outcome: Outcome) -> None:
        """Write the line of a job.

        Raises:
            ValueError: if another file has replaced the report; that file is not changed.
            OSError: if the line cannot be written; earlier lines stay whole.
        """
        job = outcome.job
        if outcome.status == "skipped" and str(job.target) in self._known:
            return
        line = {"input": str(job.source), "output": str(job.target), "status": outcome.status} | self.common | outcome.details
        if outcome.error:
            line["error"] = outcome.error
        if not self._open:
            _drop_cut_line(self.path)
            self._open = True
        _append(self.path, json.dumps(line).encode() + b"\n")


def check_apart(report: Path, jobs: Iterable[Job], *, others: Iterable[Path] = ()) -> None:
    """Raise a ``ValueError`` if the report is also another input or output, or stands where a folder of outputs must go.

    Args:
        report: path of the report.
        jobs: which file is restored to which.
        others: other files that are read.
    """
    place = report.resolve()
    for path in others:
        _check_other(report, place, path, "an input")
    for job in jobs:
        _check_other(report, place, job.source, "an input")
        for target in (job.target, comparison_path(job.target)):
            _check_other(report, place, target, "an output")
            if place in target.resolve().parents:
                raise ValueError(f"{target} must be written below it; choose another file for the report")


def _check_other(report: Path, place: Path, path: Path, what: str) -> None:
    if place == path.resolve() or (report.exists() and path.exists() and report.samefile(path)):
        raise ValueError(f"it is {what} of this call; choose another file for the report")


def _check_writable(path: Path) -> None:
    folder = path.resolve().parent
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent} to write it to; make it first")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise PermissionError("no permission to write it; choose another file")


def _lines_of(path: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a report.

    Raises:
        ValueError: if the file is not a report.
    """
    if path.is_dir():
        raise ValueError("it is a folder; give the name of a file")
    if path.is_symlink() and not path.exists():
        raise ValueError("it is a broken link; choose another file")
    if not path.exists():
        return []
    if not path.is_file():
        raise ValueError("it is a device or a pipe, not a file; give the name of a file")
    refused = ValueError("it exists and is not a report of restorekit restore; choose a new file, or such a report")
    lines: list[dict[str, Any]] = []
    with path.open("rb") as file:
        for text in file:
            if not text.startswith(START) and not (lines and START.startswith(text)):
                raise refused
            try:
                line = json.loads(text)
            except ValueError as error:
                if text.endswith(b"\n"):
                    raise refused from error
                break  # the last line was truncated
            if not _is_line(line):
                raise refused
            lines.append(line)
    return lines


def _is_line(line: Any) -> bool:
    return isinstance(line, dict) and isinstance(line.get("output"), str) and line.get("status") in STATUSES


def _drop_cut_line(path: Path) -> None:
    """Write a report again without a truncated last line, if there is one; atomically."""
    lines = _lines_of(path)
    if not path.exists():
        return
    with path.open("rb") as file:
        found = list(file)
    if found and not found[-1].endswith(b"\n"):
        kept = [line.removesuffix(b"\n") + b"\n" for line in found[: len(lines)]]  # the last line may lack its newline
        with atomic_path(path.resolve()) as temporary:  # resolved, so that a link stays one
            temporary.write_bytes(b"".join(kept))


def _append(path: Path, line: bytes) -> None:
    """Append a line to a file, all of it or nothing."""
    new = not path.exists()
    with path.open("ab", buffering=0) as file:
        before, written = file.seek(0, os.SEEK_END), 0
        try:
            while written < len(line):
                written += file.write(line[written:])
        except OSError:
            if file.seek(0, os.SEEK_END) == before + written:  # and no other process has added a line
                file.truncate(before)
                if new:
                    path.unlink()
            raise
