"""``restorekit train``."""

import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from restorekit.cli._common import console, fail, print_result, say, warn
from restorekit.cli._process import stopping_signals
from restorekit.errors import ConfigError
from restorekit.train import load_recipe, part_company, to_toml, train

EXAMPLES = """
Examples:

  restorekit train mprnet_tiny.denoise data.path=photos/ validation.path=held-out/

  restorekit train mprnet_deblur.gopro data.path=GOPRO_Large/ -o runs/deblur run.batch=4 optimizer.lr=1e-4

  restorekit train mine.toml model.init=runs/deblur/best.safetensors --print

  accelerate launch --num_processes 4 -m restorekit train mprnet_derain.rain13k data.path=Rain13K/
"""


def train_command(
    recipe: Annotated[str, typer.Argument(help="Name of a bundled recipe, or a .toml file.", show_default=False)],
    overrides: Annotated[list[str] | None, typer.Argument(help="Values to replace: section.key=value.", show_default=False)] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Folder of the run; an interrupted run resumes.", show_default="runs/ and the recipe's name"
        ),
    ] = None,
    show: Annotated[bool, typer.Option("--print", help="Print the merged recipe, and do nothing else.")] = False,
    allow_changes: Annotated[bool, typer.Option("--allow-changes", help="Resume a run although its recipe differs.")] = False,
    device: Annotated[str, typer.Option(help="auto or cpu.")] = "auto",
) -> None:
    """Train a network from a recipe.

    A recipe says what to train, on which data, and how; every value can be replaced. Ctrl-C saves and stops, and the same
    command resumes an interrupted run exactly where it was. The folder of the run receives recipe.toml, log.jsonl,
    checkpoint.pth, pictures, TensorBoard's files, and the weights with a model card.
    """
    try:
        merged = load_recipe(recipe, overrides or ())
        text = to_toml(merged)
    except ConfigError as error:
        fail(error, 2)
    if show:
        print_result(text.removesuffix("\n"))
        return
    folder = output or Path("runs") / Path(recipe).name.removesuffix(".toml")

    first = os.environ.get("RANK", "0") == "0"  # this is the first of several processes
    try:
        with _asked_to_stop() as stopping, _showing_steps(merged.run.steps, shown=first) as report:
            weights = train(
                merged,
                folder,
                device=device,
                allow_changes=allow_changes,
                on_progress=report,
                on_notice=warn,
                stopping=stopping,
            )
    except KeyboardInterrupt:
        console.print(f"interrupted before a checkpoint could be written; {_resuming(folder)}")
        raise typer.Exit(130) from None
    except (ValueError, OSError, FloatingPointError, RuntimeError, ImportError) as error:
        fail(error)
    part_company()
    if weights is None:
        if first:
            console.print(f"stopped; everything is saved. {_resuming(folder)}")
        raise typer.Exit(130)
    if first:
        say(f"weights: {weights}")


@contextmanager
def _showing_steps(total: int, *, shown: bool) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Yield a function that shows a row of the log: in a progress bar, and in a line if there is something to remember."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    progress = Progress(*columns, console=console, disable=not shown)
    task = progress.add_task("reading images", total=total, start=False, speed="")

    def show(row: dict[str, Any]) -> None:
        if not progress.tasks[0].started:
            progress.update(task, completed=row["step"])
            progress.start_task(task)
        speed = f"{row['seconds']:.2f} s per step"
        progress.update(task, completed=row["step"], description=f"loss {row['loss']:.4f}", speed=speed)
        if row["skipped"]:
            console.print(
                f"step {row['step']} skipped: loss {row['loss']:.3g}, gradient {row['gradient_norm']:.3g}, samples "
                f"{row['samples'][0]} to {row['samples'][1]}"
            )
        if "psnr" in row:
            console.print(f"step {row['step']}: loss {row['loss']:.4f}, validation {row['psnr']:.2f} dB, SSIM {row['ssim']:.4f}")

    with progress:
        try:
            yield show
        finally:
            progress.live.transient = not progress.tasks[0].started  # an error before the first step needs no bar above it


@contextmanager
def _asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether the user or the system asked to stop; a second Ctrl-C interrupts at once."""
    asked: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        console.print("stopping after this step; press Ctrl-C again to stop at once")

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, *stopping_signals())}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _resuming(folder: Path) -> str:
    """Return how to resume a run."""
    command = f"restorekit {shlex.join(sys.argv[1:])}"
    return f"The same command resumes {folder}: {command}"
