"""Restores a folder in child processes that are killed at random moments, then in one that may finish.

python tests/kill_processes.py INPUT OUTPUT REPORT BATCH SEED

A process of its own, since it forks: that is quick, and torch is imported once. The network darkens, so that results differ
from inputs.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

import torch

from _helpers.identity import Identity
from restorekit.batch import ReportFile, plan_jobs, restore_files
from restorekit.inference import InferenceOptions, Restorer

KILLS = 5


def restore(source: Path, target: Path, report: Path, batch: int) -> None:
    torch.set_num_threads(1)
    network = Identity()
    with torch.no_grad():
        network.weight.fill_(0.75)
    jobs, problems = plan_jobs([source], target)
    assert not problems
    restore_files(Restorer(network, InferenceOptions(precision="float32")), jobs, ReportFile(report).add, batch=batch, compare=True)


def main() -> None:
    source, target, report = map(Path, sys.argv[1:4])
    batch, seed = map(int, sys.argv[4:])
    rng = random.Random(seed)
    total = len(list(source.rglob("*.*")))
    # Not near the end, where a child may be through before it is killed.
    for count in [*sorted(rng.sample(range(1, total - 8), KILLS)), None]:
        child = os.fork()
        if child == 0:
            restore(source, target, report, batch)
            os._exit(0)
        if count is not None:
            while len(list(target.rglob("*.compare.png"))) < count and os.waitpid(child, os.WNOHANG) == (0, 0):
                time.sleep(0.001)
            time.sleep(rng.random() / 1000)  # not always just after a file
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert status == (signal.SIGKILL if count is not None else 0), status
    sys.stdout.write("restored\n")


if __name__ == "__main__":
    main()
