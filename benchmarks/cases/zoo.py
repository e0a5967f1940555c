"""Measures parameters, multiply-accumulates and time of every architecture with published weights.

Networks have random weights and restore one image of 256 x 256 as ``restorekit.restore`` does. Seconds are those of one thread of
the CPU, as the operating system counts them: the fastest of three runs after a warm-up. The table of models in the documentation is
made from these figures.
"""

import argparse
import sys
import time
from collections.abc import Iterator

import torch
from _harness import Column, Measurement, alternate

import restorekit
from restorekit.inference import InferenceOptions, Restorer
from restorekit.inspection import inspect_model

COLUMNS = {
    "architecture": Column("architecture"),
    "parameters": Column("parameters, millions", ".2f"),
    "gmacs": Column("GMACs", ".1f"),
    "seconds": Column("seconds", ".2f"),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what can be chosen."""
    parser.add_argument("--only", nargs="+", default=(), help="architectures; all by default")


def row(name: str) -> dict[str, str | float]:
    """Return the figures of an architecture."""
    torch.manual_seed(0)
    model = restorekit.create_model(name).eval()
    costs = inspect_model(model, size=(256, 256))
    restorer = Restorer(model, InferenceOptions(device="cpu"))
    image = (torch.rand(model.image_channels, 256, 256) * 255).byte()
    seconds = min(alternate({"": lambda: restorer(image)}, 3, clock=time.process_time)[""])
    return {"architecture": name, "parameters": costs.parameters / 1e6, "gmacs": costs.macs / 1e9, "seconds": seconds}


def measure(options: argparse.Namespace) -> Iterator[Measurement]:
    """Measure all."""
    torch.set_num_threads(1)
    names = options.only or sorted({name.partition(".")[0] for name in restorekit.list_models(pretrained=True)})
    rows = []
    for name in names:
        rows.append(row(name))
        print(rows[-1], file=sys.stderr)
    yield Measurement("256x256", "One image of 256 x 256, default precision, one thread", COLUMNS, rows)
