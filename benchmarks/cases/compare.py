"""Compares this version of the library with an earlier one: the same work, in alternating runs.

    python benchmarks/run.py compare v0.1.0

Every piece of work gets several pairs of new processes, one with each version, which run it in turns. One pair is not enough: where
the system happens to place the memory of a process changes the time of a network by up to a fifth, as long as that process lives.
Memory that is freed is kept, as the command line does. Seconds are those of the CPU, child processes included, since these depend
least on what else the machine does; they are medians, and so is the ratio of runs next to each other. The ratio of the fastest
runs depends least on luck. Memory is the highest resident memory during the first run, minus what the process used before that run
(Linux only). The earlier version is taken from Git; both run with the packages that are installed now.
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
    parser.add_argument("--pairs", type=int, default=3, help="pairs of processes (default 3)")
    parser.add_argument("--runs", type=int, default=2, help="of a pair at least, after a first one; more of short work (default 2)")


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
        kept = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1)}  # freed memory, by glibc
        environment = os.environ | kept | {"PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": ""}
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


def compare(name: str, roots: tuple[Path, Path], pairs: int, runs: int) -> dict[str, str | float | None]:
    """Return the row of a piece of work."""
    versions = []
    for _ in range(pairs):
        versions.append([Version(name, root) for root in roots])
        before, after = versions[-1]
        for turn in range(max(runs, min(5 * runs, round(LONG_ENOUGH / before.seconds)))):
            for version in (before, after) if turn % 2 else (after, before):
                version.run()
        before.close()
        after.close()
    row: dict[str, str | float | None] = {"work": name}
    cpu = [[seconds for version in side for seconds in version.cpu] for side in zip(*versions, strict=True)]
    clock = [[seconds for version in side for seconds in version.clock] for side in zip(*versions, strict=True)]
    ratios = [later / earlier for earlier, later in zip(*cpu, strict=True)]
    low, _, high = statistics.quantiles(ratios, n=4)
    row |= {"times": statistics.median(ratios), "spread": f"{low:.3f} to {high:.3f}", "fastest": min(cpu[1]) / min(cpu[0])}
    row["clock"] = statistics.median(later / earlier for earlier, later in zip(*clock, strict=True))
    for i, which in enumerate(("before", "after")):
        memory = statistics.median(pair[i].memory for pair in versions)
        row[which] = statistics.median(cpu[i])
        row[f"memory_{which}"] = memory if memory > LEAST_MEMORY else None
    return row


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
                rows.append(compare(name, roots, options.pairs, options.runs))
                print(rows[-1], file=sys.stderr)
    yield Measurement(
        f"{options.before}{options.only and ': '}{options.only}",
        f"This version compared with {options.before}; {options.pairs} pairs of processes",
        COLUMNS,
        rows,
    )
