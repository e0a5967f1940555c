"""A run that takes a second: a tiny network on crops of the bundled photograph. Also a program that is killed, or started twice."""

import os
import random
import signal
import socket
import sys
import time
from pathlib import Path

from PIL import Image

from restorekit.images import sample_photo
from restorekit.train import load_recipe

STAGES = "[{ name = 'unet', widths = [4, 6], block = 'cab' }, { name = 'unet', widths = [4, 6], block = 'cab', guided = true }]"
TINY = (
    "model.name=",
    f"model.composition={{ stages = {STAGES}, grids = [[2, 1], [1, 1]] }}",
    "data.crop=16",
    "run.batch=4",
    "run.steps=6",
    "run.precision=float32",
    "optimizer.name=adamw",
    "schedule.warmup=2",
    "validation.crop=32",
)
MPRNET = ("model.composition=", "model.name=mprnet", "model.arguments={ width = 4, unet_step = 4, ors_step = 4, num_blocks = 1 }")


def photos(folder):
    """Write two photographs into a folder, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, top in (("a", 0), ("b", 200)):
        Image.fromarray(sample_photo()[top : top + 64, top : top + 96]).save(folder / f"{name}.png")
    return folder


def recipe(folder, *overrides):
    """Return the recipe of a run on the photographs in a folder."""
    return load_recipe("mprnet_tiny.denoise", [*TINY, f"data.path={folder}", *overrides])


def killed_runs(photos_folder, run_folder, kills, overrides):
    """Do a run in processes that are killed at random moments, so many times, until one is through."""
    from restorekit.train import train

    wanted, draw = recipe(photos_folder, *overrides), random.Random(0)
    log = Path(run_folder) / "log.jsonl"
    train(recipe(photos_folder, "run.steps=1", "schedule.warmup=0"), Path(run_folder) / "first", device="cpu")  # imports all
    for kill in range(kills + 1):
        child = os.fork()
        if child == 0:
            train(wanted, Path(run_folder), device="cpu")
            os._exit(0)
        if kill < kills:
            rows = 1 + (wanted.run.steps - 2) * (kill + 1) // (kills + 1)
            while not log.exists() or len(log.read_text().splitlines()) < rows:
                time.sleep(0.002)
            time.sleep(draw.random() / 20)  # to be anywhere in a step, or in the writing of a checkpoint
            os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        assert os.WIFSIGNALED(status) == (kill < kills), status


def forked_run(photos_folder, run_folder, overrides):
    """Share a run between two processes, with the environment of ``accelerate launch``, but without the time that it takes."""
    import accelerate  # noqa: F401  (once, and not in both)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    children = []
    for rank in ("0", "1"):
        children.append(os.fork())
        if children[-1] == 0:
            os.environ |= common | {"RANK": rank, "LOCAL_RANK": rank}
            shared_run(photos_folder, run_folder, overrides)
            os._exit(0)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]


def shared_run(photos_folder, run_folder, overrides):
    """Do half of a run, and then go on; in each of several processes."""
    from restorekit.train import part_company, train

    for steps in (2, 4):
        wanted = recipe(photos_folder, *overrides, "schedule.length=4", f"run.steps={steps}")
        train(wanted, Path(run_folder), device="cpu", allow_changes=True)
    part_company()


if __name__ == "__main__":
    what, photos_folder, run_folder, *rest = sys.argv[1:]
    if what == "killed":
        killed_runs(photos_folder, run_folder, int(rest[0]), rest[1:])
    elif what == "forked":
        forked_run(photos_folder, run_folder, rest)
    else:
        shared_run(photos_folder, run_folder, rest)
