"""Measure a bundled network, or one that is to be, against the degradation that its recipe validates it on.

    pip install -e ".[bench]"
    python benchmarks/bundled.py deblur HELD_OUT_PHOTOS -o benchmarks/deblur.md
    python benchmarks/bundled.py derain HELD_OUT_PHOTOS --weights runs/derain/weights.safetensors -o derain.md --pictures derain.jpg

The images are the central crops of the photographs in the folder (benchmarks/photos.py gathers them), and of scikit-image's
astronaut, coffee and chelsea. Each is degraded several times, from fixed seeds, clipped and rounded to 8 bits; so are the results.
PSNR and SSIM are on RGB, means over what was drawn. What the network does to the clean photograph is measured too: the PSNR of the
result to what was put in. The six photographs' first draws are those that a run validates on.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from held_out import held_out_crops
from rich.progress import track

import restorekit
from restorekit.data import Degradation, degrade
from restorekit.images import Pixels, contact_sheet, write_image
from restorekit.metrics import psnr, ssim
from restorekit.models import model_from_checkpoint
from restorekit.network import RestorationNetwork
from restorekit.train import degradation_of, load_recipe

UNCHANGED = 100.0  # dB, in place of the infinite PSNR of a clean image that comes back as it was
TASKS = ("denoise", "deblur", "derain")


class Figures(NamedTuple):
    """What was measured of an image: means over the draws."""

    input_psnr: float
    psnr: float
    input_ssim: float
    ssim: float
    clean_psnr: float

    @property
    def cells(self) -> list[str]:
        """The figures as they stand in the table, the gain in PSNR among them."""
        gain = self.psnr - self.input_psnr
        return [
            *(f"{self.input_psnr:.2f}", f"{self.psnr:.2f}", f"{gain:+.2f}"),
            *(f"{self.input_ssim:.4f}", f"{self.ssim:.4f}", f"{self.clean_psnr:.2f}"),
        ]


def validation_degradation(task: str) -> Degradation:
    """Return what the recipe of the bundled network for a task validates it on."""
    recipe = load_recipe(f"mprnet_tiny.{task}")
    return degradation_of(recipe.validation.degradations or recipe.data.degradations, "validation.degradations")


def measure(
    model: RestorationNetwork, clean: Pixels, degraded: Sequence[Pixels], precision: str
) -> tuple[Figures, list[tuple[Pixels, str]]]:
    """Return the figures of an image, and a row of pictures of its first draw."""
    restored = [restorekit.restore(model, image, precision=precision) for image in degraded]
    figures = Figures(
        *(float(np.mean([psnr(image, clean) for image in images])) for images in (degraded, restored)),
        *(float(np.mean([ssim(image, clean) for image in images])) for images in (degraded, restored)),
        min(UNCHANGED, psnr(restorekit.restore(model, clean, precision=precision), clean)),
    )
    before, after = psnr(degraded[0], clean), psnr(restored[0], clean)
    row = [(degraded[0], f"input: {before:.2f} dB"), (restored[0], f"restored: {after:.2f} dB"), (clean, "clean")]
    return figures, row


def main() -> None:
    """Measure, and write a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("photos", type=Path, help="folder of held-out photographs")
    parser.add_argument("-o", "--output", type=Path, required=True, help="Markdown file to write")
    parser.add_argument("--weights", type=Path, help="a checkpoint; by default the bundled one of the task")
    parser.add_argument("--pictures", type=Path, help="picture file to write: input, restored and clean, one image a row")
    parser.add_argument("--crop", type=int, default=256, help="side of the central crops (default 256)")
    parser.add_argument("--draws", type=int, default=4, help="how often each image is degraded (default 4)")
    parser.add_argument("--precision", default="float32", help="float32, bfloat16 or auto (default float32)")
    arguments = parser.parse_args()

    degradation = validation_degradation(arguments.task)
    if arguments.weights:
        model, _ = model_from_checkpoint(arguments.weights)
    else:
        model = restorekit.create_model(f"mprnet_tiny.{arguments.task}", pretrained=True)
    crops = held_out_crops(arguments.photos, arguments.crop)
    measured: dict[str, Figures] = {}
    rows = []
    for i, (name, clean) in track(enumerate(crops.items()), total=len(crops), description=arguments.task):
        degraded = [degrade(clean, degradation, seed=draw, index=i) for draw in range(arguments.draws)]
        measured[name], row = measure(model, clean, degraded, arguments.precision)
        rows.append(row)
    mean = Figures(*(float(value) for value in np.mean(list(measured.values()), axis=0)))
    lines = [
        f"{degradation}; {arguments.draws} seeded draws for each image; RGB, central {arguments.crop} x {arguments.crop} crops, 8 "
        f"bits, {arguments.precision}. The last column is the PSNR of the network's output for the clean image to that image; "
        f"{UNCHANGED:.0f} if nothing changed.",
        "",
        "| image | input, dB | restored, dB | gain, dB | input, SSIM | restored, SSIM | clean to itself, dB |",
        "|---|---|---|---|---|---|---|",
        *(f"| {name} | {' | '.join(figures.cells)} |" for name, figures in measured.items()),
        f"| **mean** | {' | '.join(f'**{cell}**' for cell in mean.cells)} |",
    ]
    arguments.output.write_text("\n".join(lines) + "\n")
    if arguments.pictures:
        write_image(contact_sheet(rows), arguments.pictures, quality=80)
    print("\n".join((*lines[:4], lines[-1])))
    print(f"least PSNR of a clean image to itself: {min(figures.clean_psnr for figures in measured.values()):.2f} dB")


if __name__ == "__main__":
    main()
