"""A report of what became of each file: JSON, one object a line."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from restorekit.batch._pipeline import Outcome


class ReportFile:
    """Writes a line for each job as it ends, so that a killed process loses none but the last.

    An existing report is continued; a line that was cut is removed. A file that was restored by an earlier call has its line from
    then, and gets no other.

    Args:
        path: of the report; its folder must exist.
        common: what is said in each line.
    """

    def __init__(self, path: Path, common: Mapping[str, Any] | None = None) -> None:
        self.path, self.common = path, dict(common or {})
        whole = path.read_bytes().rpartition(b"\n")[0].splitlines() if path.exists() else []
        self.path.write_bytes(b"".join(line + b"\n" for line in whole))
        lines = [json.loads(line) for line in whole]
        self._known = {line["output"] for line in lines if line["status"] != "failed"}

    def add(self, outcome: Outcome) -> None:
        """Write the line of a job."""
        job = outcome.job
        if outcome.status == "skipped" and str(job.target) in self._known:
            return
        line = {"input": str(job.source), "output": str(job.target), "status": outcome.status} | self.common | outcome.details
        if outcome.error:
            line["error"] = outcome.error
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")
