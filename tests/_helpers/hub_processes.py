"""What happens to processes that fetch weights: many at once, and some that are killed. It prints what it saw, as JSON.

It forks, so that a dozen processes cost little more than one; the process that forks never talks to the Hub itself.
"""

import json
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from huggingface_hub import constants

from _helpers.small_model import ORIGINALS, Small, about
from restorekit import register_model
from restorekit.checkpoints.hub import Entry
from restorekit.models import fetch_weights
from restorekit.provenance import HubFile

REPOSITORY = "lab/restorers"
NAME = "small.rain"
AT_ONCE = 12


def start(work: Callable[[], object]) -> int:
    """Do the work in a new process; return its number."""
    process = os.fork()
    if process == 0:
        try:
            work()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    return process


def succeeded(process: int) -> bool:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0


def many() -> dict[str, object]:
    """Let many processes begin with an empty cache in the same moment."""
    reading, writing = os.pipe()

    def work() -> None:
        os.close(writing)
        os.read(reading, 1)  # until the other end is closed
        fetch_weights(NAME)

    processes = [start(work) for _ in range(AT_ONCE)]
    os.close(writing)
    os.close(reading)
    return {"succeeded": sum(succeeded(process) for process in processes)}


def killed(work: Callable[[], object], appears: Callable[[], list[Path]]) -> dict[str, object]:
    """Kill a process as soon as a file appears; tell what is left, and whether the next one succeeds."""
    process = start(work)
    deadline = time.monotonic() + 60
    while not appears() and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    left = {"cached": Entry(NAME).cached() is not None, "appeared": len(appears())}
    return left | {"again": succeeded(start(lambda: fetch_weights(NAME))), "remains": len(appears())}


def in_conversion() -> None:
    Entry.put = lambda self, converted, **known: time.sleep(60)  # type: ignore[method-assign]
    fetch_weights(NAME)


def state() -> dict[str, object]:
    cached = Entry(NAME).cached()
    files = [] if cached is None else sorted(path.name for path in cached.path.parent.iterdir() if path.name != ".lock")
    found = {"sha256": cached.record.sha256 if cached else None, "files": files}
    shutil.rmtree(constants.HF_HOME)
    return found


if __name__ == "__main__":
    register_model("small", pretrained={"rain": about(HubFile(REPOSITORY, "*derain*"))}, checkpoints=ORIGINALS)(Small)
    cache = Path(constants.HF_HUB_CACHE)
    seen = {}
    # The server stalls in the middle of the first download that it is asked for.
    seen["download"] = killed(lambda: fetch_weights(NAME), lambda: list(cache.rglob("*.incomplete"))) | state()
    incoming = Entry(NAME).incoming / "weights.safetensors"
    seen["conversion"] = killed(in_conversion, lambda: [incoming] if incoming.exists() else []) | state()
    seen["many"] = many() | state()
    sys.stdout.write(json.dumps(seen))
