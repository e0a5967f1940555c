"""``restorekit restore``."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from restorekit.cli.common import console, fail, report_failure, say

if TYPE_CHECKING:
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
    output: Annotated[Path, typer.Option("--output", "-o", help="A file for one image; otherwise a folder.", show_default=False)],
    model: Annotated[str, typer.Option(help="Model with bundled weights (see: restorekit models).")] = "mprnet_tiny.denoise",
    weights: Annotated[
        Path | None, typer.Option(help="Checkpoint to use instead; its architecture is recognised.", show_default=False)
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that exist, inputs included.")] = False,
    precision: Annotated[str, typer.Option(help="auto, float32 or bfloat16.")] = "auto",
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps.")] = "cpu",
) -> None:
    """Restore photographs: one file, several, or a folder with all below it.

    Size, colours, transparency, colour profile and EXIF data are kept. A file that cannot be restored is reported, the others go
    on, and the exit status is 1. An output file is written whole or not at all.
    """
    jobs, unusable = plan(images, output)
    problems = [*unusable, *refused(jobs, overwrite)]
    for path, problem in problems:
        report_failure(path, problem)
    bad = {path for path, _ in problems}
    jobs = [job for job in jobs if job[0] not in bad]
    if not jobs:
        fail("nothing to restore")
    network = load(model, weights, device)
    done = restore_all(network, jobs, _precision(precision))
    say(f"restored {done} of {len(jobs) + len(problems)} images to {output}")
    if done < len(jobs) or problems:
        raise typer.Exit(1)


Job = tuple[Path, Path]  # input, output
Problem = tuple[Path, str]


def plan(images: list[Path], output: Path) -> tuple[list[Job], list[Problem]]:
    """Return which file becomes which, and what cannot be used; folders keep their structure."""
    from restorekit.data.images import FORMATS, ImageError, find_images

    jobs: list[Job] = []
    problems: list[Problem] = []
    to_file = len(images) == 1 and not images[0].is_dir() and output.suffix.lower() in FORMATS and not output.is_dir()
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
    return jobs, problems


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
        return network.to(torch.device(device))
    except (ValueError, RuntimeError, AssertionError) as error:  # torch says so when it was built without a device
        fail(error, 2)


def restore_all(network: "RestorationModel", jobs: list[Job], precision: str) -> int:
    """Restore one file after the other, with a progress bar; return how many succeeded."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    done = 0
    try:
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task("restoring", total=len(jobs))
            for source, target in jobs:
                progress.update(task, description=source.name)
                try:
                    restore_file(network, source, target, precision)
                    done += 1
                except (ValueError, OSError, MemoryError, RuntimeError) as error:
                    report_failure(source, error)
                progress.advance(task)
    except KeyboardInterrupt:
        console.print(f"interrupted: {done} of {len(jobs)} images are restored, the others untouched")
        raise typer.Exit(130) from None
    return done


def restore_file(network: "RestorationModel", source: Path, target: Path, precision: str) -> None:
    """Restore one file into another; what would fail at writing fails before the work."""
    from restorekit.data.images import check_can_hold, normal_mode, read_image, write_image
    from restorekit.inference import restore

    image = normal_mode(read_image(source))
    check_can_hold(target, image.mode)
    target.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(target.parent, os.W_OK):
        raise PermissionError(f"no permission to write in {target.parent}")
    write_image(restore(network, image, precision=precision), target)


def _precision(text: str) -> str:
    from restorekit.inference.restore import PRECISIONS

    if text not in PRECISIONS:
        fail(f"--precision must be one of {', '.join(PRECISIONS)}; got {text!r}", 2)
    return text
