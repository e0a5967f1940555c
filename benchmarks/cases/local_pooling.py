"""Compares local with global pooling, with the same weights and input.

Networks run as ``restorekit.restore`` runs them, prepared by ``restorekit.inference.prepare``, on the whole image. Weights and
image are random. Runs alternate; times are medians, after one warm-up run each.
"""

import argparse
import sys
from collections.abc import Iterator

import torch
from _harness import Column, Measurement, alternate, medians

import restorekit
from restorekit.inference import keep_freed_memory, local_pooling, prepare

MODELS = ("mprnet_deblur", "mprnet_derain", "mprnet_tiny", "hinet_deblur", "nafnet_deblur")
PRECISIONS = ("float32", "bfloat16")
COLUMNS = {
    "model": Column("model"),
    "precision": Column("precision"),
    "global": Column("global, seconds", ".2f"),
    "local": Column("local, seconds", ".2f"),
    "times": Column("times as long", ".2f"),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what can be chosen."""
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--precisions", nargs="+", default=PRECISIONS, choices=PRECISIONS)
    parser.add_argument("--size", type=int, nargs=2, default=(720, 1280), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--device", default="cpu")


def restoring(network: restorekit.RestorationNetwork, image: torch.Tensor, precision: str) -> None:
    """Restore an image, and wait until that is done."""
    restorekit.restore(network, image, precision=precision, tile=None)
    if image.is_cuda:
        torch.cuda.synchronize()


def compare(name: str, precision: str, image: torch.Tensor, runs: int) -> dict[str, str | float]:
    """Return a row of the table."""
    torch.manual_seed(0)
    model = restorekit.create_model(name).to(image.device)
    networks = {"global": prepare(model, precision=precision), "local": prepare(local_pooling(model), precision=precision)}
    seconds = medians(
        alternate({key: (lambda network=network: restoring(network, image, precision)) for key, network in networks.items()}, runs)
    )
    return {"model": name, "precision": precision, **seconds, "times": seconds["local"] / seconds["global"]}


def measure(options: argparse.Namespace) -> Iterator[Measurement]:
    """Time all networks."""
    keep_freed_memory()  # as the command line does
    height, width = options.size
    image = (torch.rand(3, height, width, generator=torch.Generator().manual_seed(0)) * 255).byte().to(options.device)
    rows = []
    for name in options.models:
        for precision in options.precisions:
            rows.append(compare(name, precision, image, options.runs))
            print(rows[-1], file=sys.stderr)
    about = f"{width} x {height} pixels, windows for crops of 256; medians of {options.runs}, runs alternating"
    yield Measurement(f"{width}x{height} {torch.device(options.device).type}", about, COLUMNS, rows)
