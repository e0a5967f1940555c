"""Compares the engines that ``restorekit.inference`` offers: time, memory, and how long the first picture waits.

Needs the extras `onnx` and `openvino`. All compute the same network with the same weights, through ``Restorer``. Times are
seconds of CPU time, medians of alternating runs; memory is the highest resident memory during one run in a separate process, minus
what the process used before. A start is the time until a new ``Restorer`` has restored a picture of 64 x 64, with an empty cache
and with a filled one. CPUs without bfloat16 arithmetic skip bfloat16.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator

import torch
from _harness import Column, Measurement, alternate, apart, medians, run_once, seconds_of

import restorekit
from restorekit.inference import InferenceOptions, Restorer, has_bfloat16

CANDIDATES = {  # by name: engine and precision
    "PyTorch, float32": ("torch", "float32"),
    "ONNX Runtime, float32": ("onnxruntime", "float32"),
    "OpenVINO, float32": ("openvino", "float32"),
    "auto, float32": ("auto", "float32"),
    "PyTorch, bfloat16": ("torch", "bfloat16"),
    "OpenVINO, bfloat16": ("openvino", "bfloat16"),
    "auto, bfloat16": ("auto", "bfloat16"),
}
COLUMNS = {
    "engine": Column("engine"),
    "chosen": Column("chosen"),
    "seconds": Column("CPU time, s", ".3f"),
    "times": Column("times as fast as PyTorch", ".2f"),
    "memory": Column("peak memory, GB", ".2f"),
    "cold": Column("first start, s", ".1f"),
    "cached": Column("second start, s", ".1f"),
    "psnr": Column("PSNR to PyTorch in float32, dB", ".1f"),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what can be chosen."""
    parser.add_argument("--model", default="nafnet_tiny")
    parser.add_argument("--size", type=int, nargs="+", default=[256], metavar="SIDE", help="height and width, or one side")
    parser.add_argument("--runs", type=int, default=5, help="1: no starts and no memory (default 5)")


def restorer(name: str, candidate: str) -> Restorer:
    """Return what is measured; all candidates have the same weights."""
    torch.manual_seed(0)
    architecture = restorekit.models.architectures.get(name)
    bundled = any(about.bundled_path() for about in architecture.pretrained.values())
    engine, precision = CANDIDATES[candidate]
    model = restorekit.create_model(name, pretrained=bundled).eval()
    return Restorer(model, InferenceOptions(engine=engine, precision=precision, tile=None))


def memory_of(name: str, candidate: str, height: int, width: int) -> float:
    """Return the peak memory of a run in GB."""
    restore = restorer(name, candidate)
    return run_once(lambda: restore(torch.rand(1, 3, height, width)))[1]


def start_of(name: str, candidate: str) -> float:
    """Return the seconds of CPU time until a small picture is restored."""
    restore = restorer(name, candidate)
    return seconds_of(lambda: restore(torch.rand(1, 3, 64, 64)), clock=time.process_time)


def starts_of(name: str, candidate: str) -> tuple[float, float]:
    """Return what :func:`start_of` does with an empty cache, and again."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["RESTOREKIT_HOME"] = home
        return apart(start_of, name, candidate), apart(start_of, name, candidate)


def measure(options: argparse.Namespace) -> Iterator[Measurement]:
    """Time all candidates."""
    name, (height, width) = options.model, (*options.size, options.size[0])[:2]
    candidates = [each for each in CANDIDATES if has_bfloat16(torch.device("cpu")) or "bfloat16" not in each]
    image = torch.rand(1, 3, height, width)
    restorers = {each: restorer(name, each) for each in candidates}
    restored = {each: restore(image) for each, restore in restorers.items()}  # also warms up
    runs = {each: (lambda restore=restore: restore(image)) for each, restore in restorers.items()}
    seconds = medians(alternate(runs, options.runs, warm_up=0, clock=time.process_time))
    rows = []
    for each in candidates:
        engine, precision = CANDIDATES[each]
        error = (restored[each].double() - restored["PyTorch, float32"].double()).square().mean()
        row = {"engine": each, "seconds": seconds[each], "times": seconds[f"PyTorch, {precision}"] / seconds[each]}
        row["chosen"] = restorers[each].engine_for("float32") if engine == "auto" else None
        row["psnr"] = -10 * error.log10().item() if error else None
        if options.runs > 1 and engine != "auto":
            row["memory"] = apart(memory_of, name, each, height, width)
            row["cold"], row["cached"] = starts_of(name, each)
        rows.append(row)
    threads = torch.get_num_threads()
    yield Measurement(
        f"{name} {height}x{width}",
        f"{name} at {height} x {width}, {threads} thread{'s' if threads > 1 else ''}; medians of {options.runs}",
        COLUMNS,
        rows,
    )
