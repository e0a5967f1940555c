"""What every benchmark shares: one timer, one reader of peak memory, one description of the machine, and results as data.

A case is a file in ``benchmarks/cases`` that defines ``add_options(parser)`` and ``measure(options)``, which yields
:class:`Measurement`s. Results are JSON in ``benchmarks/results``, a file for each case; `docs/generate.py` writes tables from them.
"""

import dataclasses
import datetime
import importlib
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results"
INSTRUCTION_SETS = {  # by the names that Linux has for them
    "AVX2": "avx2",
    "AVX512": "avx512f",
    "AVX512-BF16": "avx512_bf16",
    "AMX": "amx_tile",
}
Value = str | float | None


class Column(NamedTuple):
    """How a column is shown.

    Attributes:
        heading: what stands above it.
        format: how its numbers are written, as in ``format(value, ...)``.
    """

    heading: str
    format: str = ""


@dataclasses.dataclass(frozen=True)
class Measurement:
    """One table of figures.

    Attributes:
        name: names it within its case. A later measurement of the same name replaces it.
        about: what was measured, and how; without a full stop.
        columns: the columns of the table, by key.
        rows: the figures, by the keys of columns; a row with ``"bold": True`` sums up the others.
        values: figures beside the table.
        notes: sentences below the table; ``{value:.1f}`` stands for one of ``values``.
    """

    name: str
    about: str
    columns: Mapping[str, Column]
    rows: Sequence[Mapping[str, Value]]
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    notes: Sequence[str] = ()


def alternate(
    functions: Mapping[str, Callable[[], object]], runs: int, *, warm_up: int = 1, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Run functions in turns, so that what else the machine does falls on all of them, and return their times.

    Args:
        functions: what to time, by name.
        runs: how many turns are timed.
        warm_up: how many turns come before these.
        clock: ``time.process_time`` counts the processor's time instead of the clock's.

    Returns:
        Seconds of each run, by name.
    """
    times: dict[str, list[float]] = {name: [] for name in functions}
    for turn in range(warm_up + runs):
        for name, function in functions.items():
            started = clock()
            function()
            if turn >= warm_up:
                times[name].append(clock() - started)
    return times


def medians(times: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return the median of each function's times."""
    return {name: statistics.median(measured) for name, measured in times.items()}


def seconds_of(function: Callable[[], object], *, clock: Callable[[], float] = time.perf_counter) -> float:
    """Return how long a function takes, in a single run that nothing has warmed up."""
    return alternate({"": function}, 1, warm_up=0, clock=clock)[""][0]


def resident_memory(key: str) -> float:
    """Return the resident memory of this process in GB: now (``VmRSS``) or at its peak (``VmHWM``). Linux only."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key)) * 1024 / 1e9


def run_once(function: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds and the peak memory of one run, in GB above what the process held before it.

    Call it in a process that :func:`apart` has started: memory that was used and freed before would hide part of the peak.
    """
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
    before = resident_memory("VmRSS")
    seconds = seconds_of(function)
    return seconds, resident_memory("VmHWM") - before


def process_of(function: Callable[..., Any], *arguments: Any) -> list[str]:
    """Return the command that calls a public function of a case in a process of its own; its last line is the result, as JSON."""
    call = json.dumps([Path(sys.modules[function.__module__].__file__ or "").stem, function.__name__, arguments])
    return [sys.executable, __file__, call]


def apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a public function of a case in a process of its own, and return what it returns; all must be JSON."""
    done = subprocess.run(process_of(function, *arguments), check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


# A process tells its own peak: what its parent could ask for is the peak of the parent, if that was higher.
_SHELL = """
import atexit, sys
sys.path.insert(0, {folder!r})
import _harness
atexit.register(lambda: print(_harness.resident_memory("VmHWM")))
import restorekit.batch, restorekit.cli, restorekit.models
if sys.argv[1:]:
    restorekit.cli.main()
"""


def shell_command(*arguments: str) -> tuple[float, float]:
    """Run ``restorekit`` with arguments, or without any only import it; return the seconds and the process's peak memory in GB."""
    command = [sys.executable, "-c", _SHELL.format(folder=str(FOLDER)), *arguments]
    started = time.perf_counter()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return time.perf_counter() - started, float(done.stdout.splitlines()[-1])


def machine(device: str = "cpu") -> dict[str, Any]:
    """Return what figures depend on: the processor, its instruction sets, cores and threads, and the version of PyTorch.

    Args:
        device: the device that was measured; the name of a GPU is added.
    """
    import torch

    found: dict[str, Any] = {"processor": platform.machine()}
    if Path("/proc/cpuinfo").exists():
        facts = dict(
            [part.strip() for part in line.split(":", 1)] for line in Path("/proc/cpuinfo").read_text().splitlines() if ":" in line
        )
        flags = facts.get("flags", "").split()
        found["processor"] = facts.get("model name", found["processor"])
        found["instruction_sets"] = [name for name, flag in INSTRUCTION_SETS.items() if flag in flags]
    found |= {"cores": os.cpu_count(), "threads": torch.get_num_threads(), "torch": torch.__version__}
    if device.startswith("cuda"):
        found["gpu"] = torch.cuda.get_device_name(device)
    return found


def commit() -> str:
    """Return the Git commit of the code, with a + if files were changed since; empty outside a clone."""
    command = ["git", "-C", str(FOLDER), "describe", "--always", "--exclude=*", "--abbrev=10", "--dirty=+"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.stdout.strip()


def provenance(command: str, device: str = "cpu") -> dict[str, Any]:
    """Return what is recorded with figures: the command, the machine, the date and the commit."""
    return {
        "command": command,
        "machine": machine(device),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "commit": commit(),
    }


def rounded(value: Any) -> Any:
    """Return figures with six significant digits: more are noise, and make results hard to compare."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, Mapping):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, (list, tuple)) else value


def as_data(measurement: Measurement, origin: Mapping[str, Any]) -> dict[str, Any]:
    """Return a measurement and where it comes from, as it stands in a file of results."""
    return {**origin, **rounded(dataclasses.asdict(measurement))}


def record(case: str, measured: Mapping[str, Any], folder: Path = RESULTS) -> Path:
    """Write a measurement into the results of its case, in place of an earlier one of the same name; return the file."""
    path, before = folder / f"{case}.json", load_all(case, folder)
    names = [each["name"] for each in before]
    index = names.index(measured["name"]) if measured["name"] in names else len(before)
    path.write_text(json.dumps([*before[:index], measured, *before[index + 1 :]], indent=1) + "\n")
    return path


def load_all(case: str, folder: Path = RESULTS) -> list[dict[str, Any]]:
    """Return all that is recorded of a case."""
    path = folder / f"{case}.json"
    return json.loads(path.read_text()) if path.exists() else []


def load(case: str, name: str | None = None, folder: Path = RESULTS) -> dict[str, Any]:
    """Return a recorded measurement; the name can be left out if the case has only one.

    Raises:
        LookupError: if there is none, or more than one.
    """
    found = {measured["name"]: measured for measured in load_all(case, folder)}
    if name is None and len(found) == 1:
        return next(iter(found.values()))
    if name not in found:
        raise LookupError(f"{case} has no measurement {name!r}; recorded: {', '.join(found)}")
    return found[name]


def place(measured: Mapping[str, Any]) -> str:
    """Return where figures were measured, in words; empty if that was not recorded."""
    about = measured.get("machine", {})
    sets = about.get("instruction_sets", [])
    processor = about.get("processor", "") + (f" ({', '.join(sets)})" if sets else "")
    cores = ", ".join(f"{about[unit]} {unit}" for unit in ("cores", "threads") if unit in about)
    version = f"torch {about['torch']}" if "torch" in about else ""
    known = [about.get("gpu", ""), processor, cores, version, measured.get("date", "")]
    return ", ".join(part for part in known if part)


def cell(value: Value, form: str) -> str:
    """Return a figure as it stands in a table."""
    return "" if value is None else value if isinstance(value, str) else format(value, form)


def table(measured: Mapping[str, Any], columns: Sequence[str] = ()) -> str:
    """Return figures as a Markdown table.

    Args:
        measured: a measurement as data.
        columns: keys of the columns to show; all by default.
    """
    shown = {key: measured["columns"][key] for key in columns or measured["columns"]}
    lines = ["| " + " | ".join(heading for heading, _ in shown.values()) + " |", "|" + "---|" * len(shown)]
    for row in measured["rows"]:
        cells = [cell(row.get(key), form) for key, (_, form) in shown.items()]
        lines.append("| " + " | ".join(f"**{text}**" if text and row.get("bold") else text for text in cells) + " |")
    return "\n".join(lines)


def notes(measured: Mapping[str, Any]) -> list[str]:
    """Return the sentences below a table."""
    return [note.format(**measured["values"]) for note in measured["notes"]]


def show(measured: Mapping[str, Any]) -> str:
    """Return a measurement as Markdown: what it is, where it was measured, the table and the sentences below it."""
    where = place(measured)
    about = measured["about"] + (f". Measured on {where}" if where else "") + "."
    return "\n\n".join([about, *([table(measured)] if measured["rows"] else []), *notes(measured)])


if __name__ == "__main__":  # the other side of process_of()
    sys.path.insert(0, str(FOLDER))
    module, name, arguments = json.loads(sys.argv[1])
    print(json.dumps(getattr(importlib.import_module(f"cases.{module}"), name)(*arguments)))
