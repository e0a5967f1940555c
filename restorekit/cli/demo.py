"""``restorekit demo``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from restorekit.cli.common import bundled_model, fail, say

EXAMPLES = """
Examples:

  restorekit demo

  restorekit demo --sigma 50 -o noisy50.png

  restorekit demo --task denoise --seed 3
"""

TASKS: dict[str, tuple[str, dict[str, Any]]] = {  # what the photograph is then, and what is done to it
    "denoise": ("noisy", {"name": "gaussian"}),
    "deblur": ("blurred", {"name": "motion_blur", "length": 15, "shake": 0.5}),
    "derain": ("rainy", {"name": "rain"}),
}


def demo_command(
    task: Annotated[str, typer.Option(help="denoise, deblur or derain.")] = "denoise",
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the picture.")] = Path("restorekit-demo.png"),
    sigma: Annotated[
        float, typer.Option(help="For denoise: standard deviation of the noise, in 8-bit pixel values.", min=0, max=100)
    ] = 25.0,
    seed: Annotated[int, typer.Option(help="Seed of what is done to the photograph.", min=0)] = 0,
) -> None:
    """Degrade a bundled photograph, restore it with bundled weights, and write clean, degraded and restored side by side."""
    import time

    started = time.perf_counter()
    from restorekit.data.degradations import create_degradation, degrade
    from restorekit.data.images import ImageError, check_can_hold, write_image
    from restorekit.data.panels import side_by_side
    from restorekit.data.samples import sample_photo
    from restorekit.inference import restore
    from restorekit.metrics import psnr
    from restorekit.zoo import create_model

    try:
        model = bundled_model(task, TASKS)
        check_can_hold(output, "RGB")
        if not output.resolve().parent.is_dir():
            raise ImageError(f"no folder {output.resolve().parent} to write to")
        if output.is_dir():
            raise ImageError(f"{output} is a folder; give the name of a file")
        clean = sample_photo()
        what, arguments = TASKS[task]
        kind = create_degradation(**arguments | ({"sigma": sigma} if task == "denoise" else {}))
        degraded = degrade(clean, kind, seed=seed, index=0)
        restored = restore(create_model(model, pretrained=True), degraded)
        before, after = psnr(degraded, clean), psnr(restored, clean)
        labels = [(clean, "clean"), (degraded, f"{what}: {before:.2f} dB"), (restored, f"restored: {after:.2f} dB")]
        write_image(side_by_side(labels), output)
    except ValueError as error:
        fail(error)
    say(f"{what} {before:.2f} dB -> restored {after:.2f} dB (PSNR)")
    say(f"wrote {output.resolve()} in {time.perf_counter() - started:.1f} s")
