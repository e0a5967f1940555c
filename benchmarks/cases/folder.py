"""Compares a folder of photos with the network alone, and kills the command at random moments.

The photos are noisy crops of the bundled photograph, 512 x 512, as PNG. The network's own throughput is that of `restore` on the
same pixels in memory, without reading or writing; both run alternately in this process. Then `restorekit restore` is killed
(SIGKILL) after random numbers of photos and repeated, and its results are compared with those of an undisturbed run.
"""

import argparse
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from _harness import Column, Measurement, seconds_of

import restorekit
from restorekit.batch import Outcome, plan_jobs, restore_files
from restorekit.data import add_gaussian_noise
from restorekit.images import Picture, Pixels, sample_photo, write_picture
from restorekit.inference import Restorer

MODEL = "mprnet_tiny.denoise"
KILLS = 5


def photos(number: int, side: int) -> list[Pixels]:
    """Return crops of the photograph in the package, with noise."""
    rng = np.random.default_rng(0)
    photo = np.tile(sample_photo(), (2, 2, 1))
    starts = rng.integers(0, np.array(photo.shape[:2]) - side, (number, 2))
    return [add_gaussian_noise(photo[top : top + side, left : left + side], 25.0, rng) for top, left in starts]


def network_seconds(restorer: Restorer, pictures: list[Pixels]) -> float:
    """Return how long the network takes for all pictures."""
    return seconds_of(lambda: [restorer(picture) for picture in pictures])


def folder_seconds(restorer: Restorer, source: Path, target: Path, workers: int) -> float:
    """Return how long a folder takes from file to file."""
    outcomes: list[Outcome] = []
    seconds = seconds_of(lambda: restore_files(restorer, plan_jobs([source], target)[0], outcomes.append, workers=workers))
    assert all(outcome.status == "restored" for outcome in outcomes)
    return seconds


def command(source: Path, target: Path) -> list[str]:
    """Return the shell command that restores a folder."""
    return [sys.executable, "-m", "restorekit", "restore", str(source), "-o", str(target), "--model", MODEL]


def kill_and_resume(source: Path, target: Path, seed: int) -> list[int]:
    """Run the command until it is through, killing it at random moments; return after how many photos."""
    total = len(list(source.iterdir()))
    rng = random.Random(seed)
    kills = sorted(rng.sample(range(1, total), min(KILLS, total - 1)))
    for count in kills:
        process = subprocess.Popen(command(source, target), stdout=subprocess.DEVNULL)
        while process.poll() is None and len(list(target.glob("[!.]*"))) < count:
            time.sleep(0.001)
        time.sleep(rng.random() / 10)
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(command(source, target), check=True)
    return kills


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what can be chosen."""
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--parts", type=int, default=5, help="in how many turns the photos are restored")
    parser.add_argument("--killed", type=int, default=20, help="how many photos the command is killed over")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)


def write_photos(pictures: list[Pixels], folder: Path) -> Path:
    """Write pictures into a new folder, and return it."""
    folder.mkdir()
    for i, picture in enumerate(pictures):
        write_picture(Picture(picture), folder / f"{i:03}.png")
    return folder


def measure(options: argparse.Namespace) -> Iterator[Measurement]:
    """Time a folder and the network alone, and kill the command."""
    pictures = photos(options.photos, options.side)
    restorer = Restorer(restorekit.create_model(MODEL, pretrained=True))
    restorer(pictures[0])  # warms up
    shares, alone, whole = [], 0.0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for part in range(options.parts):
            chosen = pictures[part :: options.parts]
            source = write_photos(chosen, root / f"in{part}")
            network = network_seconds(restorer, chosen)
            files = folder_seconds(restorer, source, root / f"out{part}", options.workers)
            alone, whole = alone + network, whole + files
            shares.append(network / files)
        source = write_photos(pictures[: options.killed], root / "killed")
        subprocess.run(command(source, root / "whole"), check=True)
        kills = kill_and_resume(source, root / "resumed", options.seed)
        first, second = ({path.name: path.read_bytes() for path in (root / name).iterdir()} for name in ("whole", "resumed"))
    same = "all files are identical to those of a call that nothing disturbed, and there are no others"
    yield Measurement(
        f"{MODEL} {options.side}",
        f"{options.photos} photos of {options.side} x {options.side}, {MODEL}",
        {"what": Column(""), "speed": Column("photos a second", ".2f")},
        [
            {"what": "the network alone", "speed": len(pictures) / alone},
            {"what": "from file to file", "speed": len(pictures) / whole},
        ],
        values={
            **{"share": statistics.median(shares), "least": min(shares), "most": max(shares), "turns": options.parts},
            **{"photos": len(first), "kills": ", ".join(map(str, kills)), "outcome": same if first == second else "FILES DIFFER"},
        },
        notes=[
            "Share of the network's own throughput: {share:.1%} (median of {turns} turns, {least:.1%} to {most:.1%}).",
            "{photos} photos, killed after {kills} were there, and resumed: {outcome}.",
        ],
    )
