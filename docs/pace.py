"""Draws quality against time of denoisers, from the recorded results of the benchmark case ``pace``."""

import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from restorekit.inspection import Box, Label, Line, Sheet, to_svg

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))

import _harness  # noqa: E402

WIDTH, HEIGHT = 640.0, 380.0
LEFT, RIGHT, TOP, BOTTOM = 60.0, 24.0, 20.0, 48.0
OURS, OTHERS = "#4051b5", "#b5701f"
RADIUS = 5.0


def ticks(low: float, high: float) -> list[float]:
    """Return 1, 2 and 5 times powers of ten between two numbers."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [tick for power in powers for tick in (10.0**power, 2 * 10.0**power, 5 * 10.0**power) if low <= tick <= high]


def axes(across: Callable[[float], float], up: Callable[[float], float], times: Sequence[float], levels: Sequence[int]) -> list[Line | Label]:
    """Return the axes with their ticks."""
    bottom = HEIGHT - BOTTOM
    shapes: list[Line | Label] = [Line([(LEFT, TOP), (LEFT, bottom), (WIDTH - RIGHT, bottom)], arrow=False)]
    shapes += [Label(across(tick), bottom + 14, f"{tick:g}", 12) for tick in times]
    shapes += [Label(LEFT - 8, up(level), str(level), 12, "end") for level in levels]
    return [*shapes, Label((LEFT + WIDTH) / 2, HEIGHT - 12, "seconds a megapixel", 13), Label(LEFT + 6, TOP, "dB", 13, "start")]


def picture() -> str:
    """Return the drawing as SVG: one point for each method, faster ones on the left, better ones at the top."""
    rows = _harness.load("pace")["rows"]
    seconds, quality = [row["seconds"] for row in rows], [row["psnr"] for row in rows]
    low, high = min(seconds) / 1.5, max(seconds) * 2.2  # room for a name on the right
    worst, best = math.floor(min(quality)), math.ceil(max(quality))

    def across(value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(value / low) / math.log(high / low)

    def up(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - worst) / (best - worst)

    shapes: list[Box | Line | Label] = [*axes(across, up, ticks(low, high), range(worst, best + 1))]
    for row in rows:
        x, y = across(row["seconds"]), up(row["psnr"])
        colour = OURS if "_tiny" in row["method"] else OTHERS
        shapes += [
            Box(x - RADIUS, y - RADIUS, 2 * RADIUS, 2 * RADIUS, colour, radius=RADIUS),
            Label(x + 2 * RADIUS, y, row["method"], 12, "start"),
        ]
    return to_svg(Sheet("PSNR on camera noise against seconds a megapixel, for several denoisers", shapes, WIDTH, HEIGHT))
