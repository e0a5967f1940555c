"""Try many damaged, foreign and hostile inputs of a kind, and count what the library makes of them.

    python tests/fuzz/campaign.py images --count 10000 --seed 0 [--only 1234] [--keep FOLDER]

Each input is a valid one, changed at random; its number and the seed determine it. It must be refused with a clear error of the
library, or give a right result: within 10 s and 2 GB, without a change to any other file. Everything else is a fault, and shown.
Workers do the work, since an input may crash or hang its process. Tests try a few of each kind.
"""

import argparse
import math
import multiprocessing
import os
import random
import resource
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mutations import mutate
from targets import TARGETS

from restorekit.errors import printable

SECONDS, BYTES = 10, 2 * 10**9  # of the CPU and of memory, for one input
READ, REFUSED = "read", "refused clearly"


@dataclass(frozen=True)
class Result:
    """What became of an input: read, refused clearly, or a fault in words."""

    number: int
    name: str
    outcome: str
    details: str = ""


def mutant(kind: str, seed: int, number: int) -> tuple[str, bytes]:
    """Return the name and content of an input."""
    draw = random.Random(f"{kind} {seed} {number}")
    seeds = TARGETS[kind].seeds()
    name = draw.choice(list(seeds))
    suffix = Path(name).suffix
    others = [content for other, content in seeds.items() if Path(other).suffix == suffix]
    return name, mutate(suffix, seeds[name], others, draw)


def tried(kind: str, seed: int, number: int, folder: Path) -> Result:
    """Let the library use an input, alone in a folder; tell what it made of it."""
    name, content = mutant(kind, seed, number)
    shutil.rmtree(folder, ignore_errors=True)
    path = folder / "in" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    peak, started = _peak(), time.process_time()
    outcome, details = READ, ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            TARGETS[kind].use(path)
    except Exception as error:
        refused = isinstance(error, TARGETS[kind].refusals)
        outcome = (_unclear(str(error)) or REFUSED) if refused else f"{type(error).__name__}: {error}"
        details = str(error) if outcome == REFUSED else traceback.format_exc()
    if (seconds := time.process_time() - started) > SECONDS:
        outcome = f"took {seconds:.1f} s"
    if (grown := _peak() - peak) > BYTES:
        outcome = f"took {grown / 1e9:.1f} GB"
    if [*folder.glob("in/**/*")] != [path] or path.read_bytes() != content or {*os.listdir(folder)} - {"in", "home"}:  # noqa: PTH208
        outcome = "changed a file"
    return Result(number, name, outcome, details)


def _unclear(text: str) -> str:
    """Return what is wrong with the text of an error, if something is."""
    if len(text) < 10 or " object at 0x" in text or text != printable(text):
        return f"unclear: {text!r}"
    return ""


def _peak() -> int:
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _work(connection: Any, kind: str, seed: int, numbers: range, folder: Path) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libraries write warnings there
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 4 * BYTES, resource.RLIM_INFINITY))  # reserved memory counts here, too
    for number in numbers:
        connection.send(tried(kind, seed, number, folder))


def results(kind: str, seed: int, numbers: range) -> Iterator[Result]:
    """Yield the results of inputs, which a worker tries; another one continues after one that does not survive."""
    TARGETS[kind].seeds()  # once, and not in each worker
    context = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory() as folder:
        while numbers:
            receiving, sending = context.Pipe(duplex=False)
            worker = context.Process(target=_work, args=(sending, kind, seed, numbers, Path(folder, "work")))
            worker.start()
            sending.close()
            fault = ""
            try:
                while numbers and not fault:
                    try:
                        if receiving.poll(10 * SECONDS):
                            yield receiving.recv()
                        else:
                            fault = f"took more than {10 * SECONDS} s"
                    except EOFError:
                        worker.join()
                        fault = f"the process ended with {worker.exitcode}"
                    if fault:
                        yield Result(numbers[0], mutant(kind, seed, numbers[0])[0], fault)
                    numbers = numbers[1:]
            finally:
                worker.kill()
                worker.join()


def campaign(kind: str, seed: int, numbers: range, seconds: float, keep: Path | None = None) -> dict[str, Any]:
    """Try inputs, for so long at most; print faults as they come, and return the counts."""
    started, counts = time.perf_counter(), Counter()
    for result in results(kind, seed, numbers):
        known = result.outcome in (READ, REFUSED)
        counts[result.outcome if known else "anything else"] += 1
        if not known:
            sys.stdout.write(f"{kind} {result.number} ({result.name}): {result.outcome[:300]}\n{result.details[-1500:]}\n")
            sys.stdout.flush()
        if keep and (not known or len(numbers) == 1):
            keep.mkdir(exist_ok=True)
            (keep / f"{result.number}-{result.name}").write_bytes(mutant(kind, seed, result.number)[1])
        if time.perf_counter() - started > seconds:
            break
    counted = {"tried": counts.total()} | {what: counts[what] for what in (REFUSED, READ, "anything else")}
    return counted | {"seconds": round(time.perf_counter() - started)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", default=[*TARGETS], help=", ".join(TARGETS))
    parser.add_argument("--count", type=int, default=1000, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=int, default=0, help="number of the first input")
    parser.add_argument("--seconds", type=float, default=math.inf, help="for each kind, at most")
    parser.add_argument("--only", type=int, help="number of the only input to try")
    parser.add_argument("--keep", type=Path, help="folder for inputs that show a fault")
    options = parser.parse_args()
    numbers = range(options.start, options.start + options.count) if options.only is None else range(options.only, options.only + 1)
    found = {kind: campaign(kind, options.seed, numbers, options.seconds, options.keep) for kind in options.kinds}
    sys.stdout.write(f"{'':12}{''.join(f'{column:>17}' for column in next(iter(found.values())))}\n")
    for kind, counted in found.items():
        sys.stdout.write(f"{kind:12}{''.join(f'{value:>17,}' for value in counted.values())}\n")
    sys.exit(any(counted["anything else"] for counted in found.values()))


if __name__ == "__main__":
    main()
