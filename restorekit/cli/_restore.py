"""``restorekit restore``."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from restorekit.cli._common import bundled_model, complain, console, fail, report_failure, say, say_aside, tile_of

if TYPE_CHECKING:
    from restorekit.batch import Job, Outcome, ReportFile, Restorer
    from restorekit.inference import Plan
    from restorekit.network import RestorationNetwork

EXAMPLES = """
Examples:

  restorekit restore photo.jpg

  restorekit restore noisy.jpg -o clean.png --task denoise --compare

  restorekit restore photos/ -o restored/ --workers 4 --report report.jsonl

  restorekit restore 'photos/**/*.jpg' -o restored/ --shard 1/4

  restorekit restore blurred.png -o sharp.png --weights model_deblurring.pth --ensemble

  restorekit restore clip.mp4 -o clean.mp4
"""

NETWORK = "The network"
FILES = "Files"


def restore_command(
    images: Annotated[
        list[str], typer.Argument(help="Image files, folders, patterns such as 'photos/**/*.jpg', or videos.", show_default=False)
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="A file for one image, whose suffix is the format, or a folder. By default photo.restored.jpg beside photo.jpg.",
            show_default=False,
            rich_help_panel=FILES,
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            help="denoise (the default), deblur or derain: picks a model that comes with the package.", show_default=False
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="A model by name instead; `restorekit models` lists them.", show_default=False)
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(help="A .safetensors or .pth file instead; its architecture is recognised.", show_default=False),
    ] = None,
    device: Annotated[str, typer.Option(help="Where to compute: cpu, cuda, cuda:1 or mps.", rich_help_panel=NETWORK)] = "cpu",
    precision: Annotated[
        str,
        typer.Option(help="float32, bfloat16 (less memory), or auto: bfloat16 where that is faster.", rich_help_panel=NETWORK),
    ] = "auto",
    stages: Annotated[
        int | None,
        typer.Option(
            help="Stop after so many supervised stages: faster, lower quality.", show_default=False, rich_help_panel=NETWORK
        ),
    ] = None,
    pooling: Annotated[
        str, typer.Option(help="global, or local: means over windows, for images larger than crops.", rich_help_panel=NETWORK)
    ] = "global",
    train_size: Annotated[
        int, typer.Option(help="With --pooling local: side of the crops of the training.", rich_help_panel=NETWORK)
    ] = 256,
    ensemble: Annotated[
        bool,
        typer.Option("--ensemble", help="Average over 8 turned and mirrored images: 8 times as long.", rich_help_panel=NETWORK),
    ] = False,
    tile: Annotated[
        str,
        typer.Option(
            help="Side of overlapping tiles in pixels; auto: as large as the memory allows; none: no tiles.",
            rich_help_panel=NETWORK,
        ),
    ] = "auto",
    overlap: Annotated[int, typer.Option(help="Pixels that tiles share at least.", min=0, rich_help_panel=NETWORK)] = 64,
    max_memory: Annotated[
        str | None,
        typer.Option(
            help="What the network may take, such as 2GB; by default, four fifths of what is free.",
            show_default=False,
            rich_help_panel=NETWORK,
        ),
    ] = None,
    compiled: Annotated[
        bool,
        typer.Option("--compile", help="Compile the network: a minute at first, then faster.", rich_help_panel=NETWORK),
    ] = False,
    alpha: Annotated[
        str, typer.Option(help="keep transparency as it is, or restore it as a grey image.", rich_help_panel=NETWORK)
    ] = "keep",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that exist, inputs included.", rich_help_panel=FILES)
    ] = False,
    quality: Annotated[
        int | None,
        typer.Option(
            help="Of formats that have one, such as JPEG. By default no loss can be seen.",
            min=1,
            max=100,
            show_default=False,
            rich_help_panel=FILES,
        ),
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Also write NAME.compare.png: before and after.", rich_help_panel=FILES)
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(help="Write a line of JSON for each file: times, sizes, errors.", show_default=False, rich_help_panel=FILES),
    ] = None,
    workers: Annotated[
        int, typer.Option(help="Threads that read and write files beside the network.", min=1, rich_help_panel=FILES)
    ] = 2,
    batch: Annotated[
        int, typer.Option(help="Images of one size that go through the network at once.", min=1, rich_help_panel=FILES)
    ] = 1,
    shard: Annotated[
        str | None,
        typer.Option(help="Only part i of n, as i/n, for many machines.", show_default=False, rich_help_panel=FILES),
    ] = None,
) -> None:
    """Restore photographs: one file, several, a folder with all below it, or a video.

    Size, bits, colours, transparency, colour profile, EXIF and XMP data are kept. Of several files, those whose output exists are
    skipped, so the same command goes on after an interruption. A file that cannot be restored is reported, the others go on, and
    the exit status is 1. An output file is written whole or not at all.
    """
    from restorekit.batch import Settings, left_out, plan_jobs
    from restorekit.batch import shard as part_of

    started = time.perf_counter()
    try:
        settings = Settings(
            precision=precision,
            stages=stages,
            pooling=pooling,
            train_size=train_size,
            ensemble=ensemble,
            tile=tile_of(tile),
            overlap=overlap,
            max_memory=max_memory,
            compile=compiled,
            alpha=alpha,
        )
        name = _model_name(task, model, weights)
        jobs, problems = plan_jobs(images, output, overwrite=overwrite, compare=compare)
        lines = _report_file(report, jobs, [Path(image) for image in images], str(weights or name))
        jobs = part_of(jobs, *_shard(shard)) if shard else jobs
    except ValueError as error:
        fail(f"--{error}" if str(error).split(" ")[0] in Settings.__annotations__ else error, 2)
    for path, problem in problems:
        report_failure(path, problem)
    if others := left_out(images, output):
        say_aside(others)
    run = _Run(len(jobs))
    if any(not job.done for job in jobs):
        from restorekit.batch import Restorer

        try:
            restorer = Restorer(_load(name, weights, device), settings)
        except ValueError as error:
            fail(error, 2)
        options = {"workers": workers, "batch": batch, "quality": quality, "compare": compare}
        run.restore(restorer, jobs, lines, options)
    else:
        run.skipped = len(jobs)
    total = len(jobs) + len(problems)
    say(_summary(run, name if weights is None else str(weights), total, output, time.perf_counter() - started))
    if run.failed or problems or run.report_error:
        raise typer.Exit(1)


def _model_name(task: str | None, model: str | None, weights: Path | None) -> str:
    """Return the name of the model that is asked for."""
    given = [option for option, value in (("--task", task), ("--model", model), ("--weights", weights)) if value is not None]
    if len(given) > 1:
        raise ValueError(f"{' and '.join(given)} each choose the network; give one of them")
    return model or bundled_model(task or "denoise")


def _shard(text: str) -> tuple[int, int]:
    part, _, parts = text.partition("/")
    if not (part.isdecimal() and parts.isdecimal()):
        raise ValueError(f"a shard is i/n with i from 1 to n, such as 1/4; got {text}")
    return int(part), int(parts)


def _load(name: str, weights: Path | None, device: str) -> "RestorationNetwork":
    """Return the model that is asked for, or leave with a clear error."""
    import torch

    from restorekit.models import create_model, model_from_checkpoint

    network = create_model(name, pretrained=True) if weights is None else model_from_checkpoint(weights)[0]
    try:
        return network.to(torch.device(device))
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # torch says so when it was built without a device
        fail(f"--device {device} cannot be used; use cpu, or another device that is here ({str(error).splitlines()[0]})", 2)


class _Run:
    """Shows the progress of jobs, and counts what became of them.

    Args:
        total: how many there are.
    """

    def __init__(self, total: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self.progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self.total, self.restored, self.skipped, self.failed = total, 0, 0, 0
        self.last: Outcome | None = None
        self.report_error = ""

    @property
    def ended(self) -> int:
        """How many jobs have ended, in whatever way."""
        return self.restored + self.skipped + self.failed

    def restore(self, restorer: "Restorer", jobs: "list[Job]", report: "ReportFile | None", options: dict[str, Any]) -> None:
        """Restore all files; an interruption leaves with a message."""
        from restorekit.batch import LARGE, Outcome, can_go_by_rows, restore_files, restore_video
        from restorekit.images import has_libvips

        def ended(outcome: Outcome) -> None:
            if outcome.error:
                report_failure(outcome.job.source, outcome.error)
            setattr(self, outcome.status, getattr(self, outcome.status) + 1)
            self.last = outcome
            if report is not None and not self.report_error:
                self._add_to(report, outcome)
            self.progress.update(bar, completed=self.ended, description=outcome.job.source.name)

        def tile_done(job: "Job", plan: "Plan", done: int) -> None:
            tiling = plan.tiling
            if not done:
                self._say_plan(job, plan)
                height, width = tiling.size
                if height * width >= LARGE and not has_libvips() and not options["compare"] and can_go_by_rows(job, restorer):
                    say_aside(f"{job.source} is held as a whole; to read and write it in parts: pip install 'restorekit[io]'")
            if tiling.num_tiles > 1:
                description = f"{job.source.name}, tile {done} of {tiling.num_tiles}"
                self.progress.update(bar, completed=self.ended + done / tiling.num_tiles, description=description)

        def frames_done(done: int, frames: int | None) -> None:
            self.progress.update(bar, total=frames, completed=done)

        try:
            with self.progress:
                bar = self.progress.add_task("restoring", total=self.total)
                restore_files(restorer, [job for job in jobs if job.done or not job.is_video], ended, watch=tile_done, **options)
                for job in jobs:
                    if job.is_video and not job.done:
                        try:
                            self.progress.update(bar, description=job.source.name)
                            details = restore_video(restorer, job.source, job.target, batch=options["batch"], progress=frames_done)
                            ended(Outcome(job, details=details))
                        except Exception as error:  # whatever is wrong with one video, the others go on
                            ended(Outcome(job, error=str(error) or type(error).__name__))
        except KeyboardInterrupt:
            console.print(f"interrupted: {self.restored} of {self.total} images are restored, the others untouched")
            raise typer.Exit(130) from None

    def _add_to(self, report: "ReportFile", outcome: "Outcome") -> None:
        """Write the line of a job; if that cannot be done, say so, and go on without a report."""
        try:
            report.add(outcome)
        except (OSError, ValueError) as error:
            self.report_error = str(getattr(error, "strerror", None) or error)
            complain(f"{report.path} cannot be written: {self.report_error}; the files are restored without a report")

    @staticmethod
    def _say_plan(job: "Job", plan: "Plan") -> None:
        """Say what a picture takes that is not done at once, before the work."""
        if plan.tiling.num_tiles > 1:
            memory = "" if plan.needed is None else f", about {plan.needed / 1e9:.1f} GB of memory"
            rows, columns = plan.tiling.tile
            say_aside(f"{job.source}: {plan.tiling.num_tiles} tiles of {columns} x {rows}{memory}")


def _report_file(path: Path | None, jobs: "list[Job]", inputs: list[Path], model: str) -> "ReportFile | None":
    """Return the report that is asked for, of which nothing is written yet, or leave with a clear error."""
    if path is None:
        return None
    from restorekit.batch import ReportFile, check_apart

    try:
        check_apart(path, jobs, others=inputs)
        return ReportFile(path, {"model": model})
    except (OSError, ValueError) as error:
        fail(f"--report {path} cannot be used: {error}", 2)


def _summary(run: _Run, model: str, total: int, output: Path | None, seconds: float) -> str:
    """Say in one line what was done."""
    if total == 1 and run.last is not None and run.last.status == "restored":
        details, job = run.last.details, run.last.job
        return (
            f"{job.source} -> {job.target}: {details['width']} x {details['height']} by {model} in {details['precision']}, "
            f"{seconds:.1f} s"
        )
    skipped = f", {run.skipped} were there already" if run.skipped else ""
    return f"restored {run.restored} of {total} images{f' to {output}' if output else ''}{skipped}; {seconds:.1f} s"
