"""``restorekit demo``."""

from pathlib import Path
from typing import Annotated

import typer

from restorekit.cli.common import fail, say

EXAMPLES = """
Examples:

  restorekit demo

  restorekit demo --sigma 50 -o noisy50.png
"""


def demo_command(
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the picture.")] = Path("restorekit-demo.png"),
    sigma: Annotated[float, typer.Option(help="Standard deviation of the noise, in 8-bit pixel values.", min=0, max=100)] = 25.0,
    seed: Annotated[int, typer.Option(help="Seed of the noise.", min=0)] = 0,
) -> None:
    """Add noise to a bundled photograph, restore it with bundled weights, and write clean, noisy and restored side by side."""
    import time

    started = time.perf_counter()
    import numpy as np

    from restorekit.cli.panels import side_by_side
    from restorekit.data.images import ImageError, check_can_hold, write_image
    from restorekit.data.noise import add_gaussian_noise
    from restorekit.data.samples import sample_photo
    from restorekit.inference import restore
    from restorekit.metrics import psnr
    from restorekit.zoo import create_model

    try:
        check_can_hold(output, "RGB")
        if not output.resolve().parent.is_dir():
            raise ImageError(f"no folder {output.resolve().parent} to write to")
        clean = sample_photo()
        noisy = add_gaussian_noise(clean, sigma, np.random.default_rng(seed))
        restored = restore(create_model("mprnet_tiny.denoise", pretrained=True), noisy)
        labels = [
            (clean, "clean"),
            (noisy, f"noisy, sigma {sigma:g}: {psnr(noisy, clean):.2f} dB"),
            (restored, f"restored: {psnr(restored, clean):.2f} dB"),
        ]
        write_image(side_by_side(labels), output)
    except ValueError as error:
        fail(error)
    say(f"noisy {psnr(noisy, clean):.2f} dB -> restored {psnr(restored, clean):.2f} dB (PSNR, sigma {sigma:g})")
    say(f"wrote {output.resolve()} in {time.perf_counter() - started:.1f} s")
