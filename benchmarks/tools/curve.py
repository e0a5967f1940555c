"""Draw the curves of a training run for a model card: its loss, and the PSNR of its validations.

python benchmarks/tools/curve.py runs/deblur -o docs/assets/mprnet_tiny_deblur.svg
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from restorekit.inspection import Label, Line, Sheet, check_drawable, save
from restorekit.train import Run

WIDTH, HEIGHT = 380.0, 240.0
LEFT, RIGHT, TOP, BOTTOM = 56.0, 16.0, 36.0, 34.0
COLOUR = "#4051b5"
SMOOTHED = 25  # losses that are averaged

Shape = Line | Label


def panel(left: float, title: str, steps: Sequence[float], values: Sequence[float], last: float) -> list[Shape]:
    """Return a curve over the steps of a run, with axes and the values at which it begins and ends."""
    low, high = min(values), max(values)
    x0, x1, y0, y1 = left + LEFT, left + WIDTH - RIGHT, HEIGHT - BOTTOM, TOP

    def place(step: float, value: float) -> tuple[float, float]:
        return x0 + (x1 - x0) * step / last, y0 + (y1 - y0) * (value - low) / (high - low or 1)

    shapes: list[Shape] = [
        Label(left + LEFT, TOP / 2, title, 13, "start", bold=True),
        Line([(x0, y1), (x0, y0), (x1, y0)], arrow=False),
        Label((x0 + x1) / 2, y0 + 22, "steps", 11),
    ]
    shapes += [Label(*place(step, low - 14 * (high - low or 1) / (y0 - y1)), f"{step:g}", 11) for step in (0, last)]
    shapes += [
        Label(x0 - 6, place(0, value)[1], f"{value:.3g}" if high < 10 else f"{value:.2f}", 11, "end") for value in (low, high)
    ]
    return [*shapes, Line([place(*point) for point in zip(steps, values, strict=True)], arrow=False, colour=COLOUR)]


def main() -> None:
    """Draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a run")
    parser.add_argument("-o", "--output", type=Path, required=True, help=".svg file to write")
    arguments = parser.parse_args()
    check_drawable(arguments.output)
    rows = Run(arguments.run).rows()
    taken, measured = [row for row in rows if not row["skipped"]], [row for row in rows if "psnr" in row]
    if len(taken) <= SMOOTHED or len(measured) < 2:
        parser.error(f"{arguments.run} is too short: it needs more than {SMOOTHED} steps, and two validations")
    losses = np.convolve([row["loss"] for row in taken], np.full(SMOOTHED, 1 / SMOOTHED), mode="valid").tolist()
    last = rows[-1]["step"]
    title = f"loss, sum over stages, mean of {SMOOTHED} steps"
    shapes = panel(0, title, [row["step"] for row in taken[SMOOTHED - 1 :]], losses, last)
    shapes += panel(WIDTH, "validation, PSNR in dB", [row["step"] for row in measured], [row["psnr"] for row in measured], last)
    save(Sheet(f"Curves of {arguments.run.name}", shapes, 2 * WIDTH, HEIGHT), arguments.output)


if __name__ == "__main__":
    main()
