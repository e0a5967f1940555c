"""Comparing an exported program with its network, at sizes that show what may go wrong."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy.typing as npt
import torch
from torch import Tensor

from restorekit.export._program import Program
from restorekit.network import RestorationNetwork
from restorekit.ops import pad_centred, pad_to_multiple

BOUNDS = {"float32": 1e-4, "float16": 2e-2}  # for pixels in [0, 1], or relative to larger results
LEVEL = 1.0  # for 8-bit pixels, in which float16 has the bound above if that is larger


class Check(NamedTuple):
    """How a program was compared with its network.

    Attributes:
        sizes: number, height and width of the images.
        difference: the largest difference of a pixel, in the range of the program's pixels.
        worst: the size at which it was found.
        bound: the largest difference that is accepted.
    """

    sizes: tuple[str, ...]
    difference: float
    worst: str
    bound: float

    @property
    def passed(self) -> bool:
        """Whether the difference is within the bound."""
        return self.difference <= self.bound


def checked(
    network: RestorationNetwork, program: Program, run: Callable[[npt.NDArray[Any]], npt.NDArray[Any]], *, tiny: bool
) -> Check:
    """Run an exported program on images of several odd sizes, and compare it with the network, padded as in inference.

    Args:
        network: the network in float32.
        program: what was exported.
        run: runs the exported program.
        tiny: whether the program takes images that are no larger than the multiple.
    """
    bound = max(LEVEL, 255 * BOUNDS[program.precision] if program.precision == "float16" else 0) if program.uint8 else 0
    found: dict[str, tuple[float, float]] = {}
    for number, height, width in sizes_for(network.size_multiple, tiny=tiny):
        image = program.example((height, width), number=number)
        wanted = expected(network, program, image)
        got = torch.from_numpy(run(image.numpy()).copy())
        name = f"{number} x {height} x {width}"
        if got.shape != wanted.shape or got.dtype != wanted.dtype:
            found[name] = float("inf"), bound
            continue
        difference = (got.double() - wanted.double()).abs().max().item()
        found[name] = difference, bound or BOUNDS[program.precision] * max(1.0, wanted.abs().max().item())
    worst = max(found, key=lambda name: _excess(*found[name]))
    return Check(tuple(found), found[worst][0], worst, found[worst][1])


def _excess(difference: float, bound: float) -> float:
    """Return how bad a difference is; NaN is worst."""
    return float("inf") if math.isnan(difference) else difference / bound


def sizes_for(multiple: int, *, tiny: bool) -> list[tuple[int, int, int]]:
    """Return number, height and width of images: larger than the multiple, and so small that a reflection cannot fill it."""
    large = [(1, 2 * multiple + 3, multiple + 5), (2, multiple + 1, 2 * multiple + 1), (1, 3 * multiple, 2 * multiple)]
    return [*large, (2, max(1, multiple // 3), multiple + 1), (1, 1, 3)] if tiny else large


@torch.no_grad()
def expected(network: RestorationNetwork, program: Program, image: Tensor) -> Tensor:
    """Return what the program must compute, by the padding of inference and by the network."""
    pixels = image.float() / 255 if program.uint8 else image
    top, left = 0, 0
    if network.padding == "centre":
        padded, (top, left) = pad_centred(pixels, network.size_multiple)
    else:
        padded = pad_to_multiple(pixels, network.size_multiple)
    scale, (height, width) = network.output.scale, image.shape[-2:]
    restored = network(padded, stages=program.stages)
    restored = restored[..., scale * top : scale * (top + height), scale * left : scale * (left + width)]
    restored = restored.clamp(0, 1) if program.clamp or program.uint8 else restored
    return (restored * 255).round().to(torch.uint8) if program.uint8 else restored
