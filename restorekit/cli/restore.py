"""``restorekit restore``."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from restorekit.cli.common import console, fail, report_failure, say

if TYPE_CHECKING:
    from PIL import Image

    from restorekit.model import RestorationModel

EXAMPLES = """
Examples:

  restorekit restore noisy.jpg -o clean.png

  restorekit restore photos/ -o restored/ --overwrite

  restorekit restore a.jpg b.jpg -o restored/

  restorekit restore blurred.png -o sharp.png --weights model_deblurring.pth
"""


def restore_command(
    images: Annotated[list[Path], typer.Argument(help="Image files or folders.", show_default=False)],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="A file for one image, whose suffix is the format; otherwise a folder.", show_default=False
        ),
    ],
    model: Annotated[
        str, typer.Option(help="Whose weights to use; `restorekit models` lists them. They are fetched once.")
    ] = "mprnet_tiny.denoise",
    weights: Annotated[
        Path | None,
        typer.Option(help="A .safetensors or .pth file to use instead; its architecture is recognised.", show_default=False),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that exist, inputs included.")] = False,
    precision: Annotated[
        str, typer.Option(help="float32, bfloat16 (less memory), or auto: bfloat16 where that is faster.")
    ] = "auto",
    device: Annotated[str, typer.Option(help="Where to compute: cpu, cuda, cuda:1 or mps.")] = "cpu",
    stages: Annotated[
        int | None, typer.Option(help="Stop after so many supervised stages: faster, lower quality.", show_default=False)
    ] = None,
    pooling: Annotated[str, typer.Option(help="global, or local: means over windows, for images larger than crops.")] = "global",
    train_size: Annotated[int, typer.Option(help="With --pooling local: side of the crops of the training.")] = 256,
) -> None:
    """Restore photographs: one file, several, or a folder with all below it.

    Size, colours, transparency, colour profile and EXIF data are kept. A file that cannot be restored is reported, the others go
    on, and the exit status is 1. An output file is written whole or not at all.
    """
    from restorekit.inference import local_pooling, restore
    from restorekit.inference.restore import POOLINGS, PRECISIONS

    jobs, unusable = plan(images, output)
    problems = [*unusable, *refused(jobs, overwrite)]
    for path, problem in problems:
        report_failure(path, problem)
    bad = {path for path, _ in problems}
    jobs = [job for job in jobs if job[0] not in bad]
    _check_choice("precision", precision, PRECISIONS)
    _check_choice("pooling", pooling, POOLINGS)
    done = 0
    if jobs:
        network = load(model, weights, device)
        try:
            network.check_stages(stages)
            network = local_pooling(network, train_size) if pooling == "local" else network
        except ValueError as error:
            fail(error, 2)
        done = restore_all(partial(restore, network, precision=precision, stages=stages), jobs)
    say(f"restored {done} of {len(jobs) + len(problems)} images to {output}")
    if done < len(jobs) or problems:
        raise typer.Exit(1)


Job = tuple[Path, Path]  # input, output
Problem = tuple[Path, str]
Run = Callable[["Image.Image"], "Image.Image"]


def plan(images: list[Path], output: Path) -> tuple[list[Job], list[Problem]]:
    """Return which file becomes which, and what cannot be used; folders keep their structure."""
    from restorekit.data.images import FORMATS, ImageError, find_images

    jobs: list[Job] = []
    problems: list[Problem] = []
    to_file = len(images) == 1 and not images[0].is_dir() and output.suffix != "" and not output.is_dir()
    if to_file and output.suffix.lower() not in FORMATS:
        return [], [(output, f"unknown image format {output.suffix!r}; use one of {', '.join(FORMATS)}, or a folder that exists")]
    for image in images:
        if to_file:
            jobs.append((image, output))
        elif image.is_dir():
            try:
                found = find_images(image)
            except ImageError as error:
                problems.append((image, str(error)))
                continue
            inside = output.resolve() != image.resolve() and image.resolve() in output.resolve().parents
            jobs += [
                (path, output / path.relative_to(image))
                for path in found
                if not (inside and output.resolve() in path.resolve().parents)  # results of an earlier call
            ]
        else:
            jobs.append((image, output / image.name))
    return list(dict.fromkeys(jobs)), problems  # a file that is named twice is one


def refused(jobs: list[Job], overwrite: bool) -> list[Problem]:
    """Return the jobs that must not run, with the reason: outputs that exist or that two inputs share."""
    problems = []
    targets: dict[Path, Path] = {}
    for source, target in jobs:
        first = targets.setdefault(target.resolve(), source)
        if first is not source:
            problems.append((source, f"{target} is the output of {first} too; use another folder, or rename one"))
        elif target.exists() and not overwrite:
            same = source.exists() and target.samefile(source)
            what = "output is the input itself" if same else f"{target} exists"
            problems.append((source, f"{what}; choose another output, or pass --overwrite"))
    return problems


def load(model: str, weights: Path | None, device: str) -> "RestorationModel":
    """Return the model that is asked for, or leave with a clear error."""
    import torch

    from restorekit.zoo import create_model, model_from_checkpoint

    try:
        network = create_model(model, pretrained=True) if weights is None else model_from_checkpoint(weights)[0]
    except ValueError as error:
        fail(error, 2)
    try:
        return network.to(torch.device(device))
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # torch says so when it was built without a device
        fail(f"--device {device} cannot be used; use cpu, or another device that is here ({str(error).splitlines()[0]})", 2)


def restore_all(run: Run, jobs: list[Job]) -> int:
    """Restore one file after the other, with a progress bar; return how many succeeded."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    done = 0
    try:
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
            task = progress.add_task("restoring", total=len(jobs))
            for source, target in jobs:
                progress.update(task, description=source.name)
                try:
                    restore_file(run, source, target)
                    done += 1
                except (ValueError, OSError, MemoryError, RuntimeError) as error:
                    report_failure(source, error)
                progress.advance(task)
    except KeyboardInterrupt:
        console.print(f"interrupted: {done} of {len(jobs)} images are restored, the others untouched")
        raise typer.Exit(130) from None
    return done


def restore_file(run: Run, source: Path, target: Path) -> None:
    """Restore one file into another; what would fail at writing fails before the work."""
    from restorekit.checkpoint import make_folder
    from restorekit.data.images import check_can_hold, normal_mode, read_image, write_image

    image = normal_mode(read_image(source))
    check_can_hold(target, image.mode)
    make_folder(target.parent)
    if not os.access(target.parent, os.W_OK):
        raise PermissionError(f"no permission to write in {target.parent}")
    write_image(run(image), target)


def _check_choice(option: str, text: str, choices: tuple[str, ...]) -> None:
    if text not in choices:
        fail(f"--{option} must be one of {', '.join(choices)}; got {text!r}", 2)
