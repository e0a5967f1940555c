"""Compares this version of the library with an earlier one: the same work, in alternating runs.

    python benchmarks/run.py compare v0.1.0

Every piece of work gets two new processes, one with each version, which run it in turns. Seconds are those of the CPU, child
processes included, since these depend least on what else the machine does; they are medians, and so is the ratio of runs next to
each other. On a busy machine, where other programs empty the caches, the ratio of the fastest runs is more reliable. Memory is the
highest resident memory during the first run, minus what the process used before that run (Linux only). The earlier version is
taken from Git; both run with the packages that are installed now.
"""

import argparse
import io
import json
import os
import resource
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from _harness import FOLDER, Column, Measurement, process_of, run_once
from cases._work import WORK

import restorekit

COLUMNS = {
    "work": Column("work"),
    "before": Column("before, CPU s", ".3g"),
    "after": Column("after, CPU s", ".3g"),
    "times": Column("after / before", ".3f"),
    "spread": Column("middle half of the ratios"),
    "fastest": Column("of the fastest runs", ".3f"),
    "clock": Column("after / before by the clock", ".2f"),
    "memory_before": Column("before, GB", ".2f"),
    "memory_after": Column("after, GB", ".2f"),
}
LEAST_MEMORY = 0.001  # GB; less says nothing: the work is done in other processes
LONG_ENOUGH = 3.0  # seconds; short work is repeated until it took this long


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what can be chosen."""
    parser.add_argument("before", metavar="COMMIT", help="commit or tag of the earlier version")
    parser.add_argument("--only", default="", metavar="TEXT", help="only work with this text in its name")
    parser.add_argument("--runs", type=int, default=5, help="at least, after a first one; more of short work (default 5)")


def cpu_seconds() -> float:
    """Return the CPU time of this process and of its finished child processes."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def serve(name: str) -> None:
    """Prepare a piece of work and run it once, and again for each line that arrives; answer with seconds and memory."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what the work prints
    assert Path(restorekit.__file__).is_relative_to(os.environ["PYTHONPATH"]), restorekit.__file__
    with tempfile.TemporaryDirectory() as folder:
        run = WORK[name](Path(folder))
        print(json.dumps(run_once(run)), file=answers)
        for _ in sys.stdin:
            started, used = time.perf_counter(), cpu_seconds()
            run()
            print(json.dumps([time.perf_counter() - started, cpu_seconds() - used]), file=answers)


class Version:
    """A process that does one piece of work with one version of the library.

    Args:
        name: which work.
        root: folder that contains the package.

    Attributes:
        clock: seconds of each run but the first, by the clock.
        cpu: the same, of the CPU.
        memory: memory of the first run, in GB.
    """

    def __init__(self, name: str, root: Path) -> None:
        self.name, self.root = name, root
        self.clock: list[float] = []
        self.cpu: list[float] = []
        environment = os.environ | {"PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": ""}
        self.process = subprocess.Popen(
            process_of(serve, name), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env=environment
        )
        self.seconds, self.memory = self._answer()

    def run(self) -> None:
        """Do the work again."""
        self.process.stdin.write("\n")
        clock, cpu = self._answer()
        self.clock.append(clock)
        self.cpu.append(cpu)

    def close(self) -> None:
        """End the process."""
        self.process.communicate()

    def _answer(self) -> tuple[float, float]:
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.name} failed with the version in {self.root}")
        first, second = json.loads(line)
        return first, second


def compare(name: str, roots: tuple[Path, Path], runs: int) -> dict[str, str | float | None]:
    """Return the row of a piece of work."""
    before, after = versions = [Version(name, root) for root in roots]
    for turn in range(max(runs, min(5 * runs, round(LONG_ENOUGH / before.seconds)))):
        for version in versions if turn % 2 else reversed(versions):
            version.run()
    for version in versions:
        version.close()
    ratios = [later / earlier for earlier, later in zip(before.cpu, after.cpu, strict=True)]
    low, _, high = statistics.quantiles(ratios, n=4)
    row: dict[str, str | float | None] = {"work": name, "times": statistics.median(ratios), "spread": f"{low:.3f} to {high:.3f}"}
    for which, version in zip(("before", "after"), versions, strict=True):
        row[which] = statistics.median(version.cpu)
        row[f"memory_{which}"] = version.memory if version.memory > LEAST_MEMORY else None
    fastest = min(after.cpu) / min(before.cpu)
    clock = statistics.median(later / earlier for earlier, later in zip(before.clock, after.clock, strict=True))
    return {**row, "fastest": fastest, "clock": clock}


def checked_out(commit: str, folder: Path) -> Path:
    """Write the package as it was at a commit into a folder, and return the folder."""
    packed = subprocess.run(["git", "-C", str(FOLDER.parent), "archive", commit, "restorekit"], check=True, stdout=subprocess.PIPE)
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def measure(options: argparse.Namespace) -> Iterator[Measurement]:
    """Compare all work, or what was chosen."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        roots = (checked_out(options.before, Path(folder)), FOLDER.parent)
        for name in WORK:
            if options.only in name:
                rows.append(compare(name, roots, options.runs))
                print(rows[-1], file=sys.stderr)
    yield Measurement(
        f"{options.before}{options.only and ': '}{options.only}",
        f"This version compared with {options.before}; medians of at least {options.runs} runs",
        COLUMNS,
        rows,
    )
