"""``restorekit restore``."""

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar

from restorekit.batch import (
    LARGE,
    Job,
    Outcome,
    ReportFile,
    VideoOptions,
    can_go_by_rows,
    check_apart,
    left_out,
    plan_jobs,
    restore_files,
    restore_video,
    suffix_of_format,
)
from restorekit.batch import shard as part_of
from restorekit.cli._common import (
    bundled_model,
    complain,
    console,
    drop_output,
    fail,
    marked_up,
    report_failure,
    say,
    say_aside,
    warn,
)
from restorekit.cli._inference import with_inference_options
from restorekit.cli._pipes import OUTPUT, PIPE, Pipes, piped
from restorekit.images import has_libvips
from restorekit.inference import InferenceOptions, Plan, Progress, Restorer
from restorekit.models import create_model, model_from_checkpoint

EXAMPLES = """
Examples:

  restorekit restore photo.jpg

  restorekit restore noisy.jpg -o clean.png --task denoise --compare

  restorekit restore noisy.jpg -o softer.jpg --strength 0.7

  restorekit restore photos/ -o restored/ --workers 4 --report report.jsonl

  restorekit restore *.tif --format webp --suffix _clean

  curl -s https://example.org/photo.jpg | restorekit restore - --format png > restored.png

  restorekit restore 'photos/**/*.jpg' -o restored/ --shard 1/4

  restorekit restore blurred.png -o sharp.png --weights model_deblurring.pth --ensemble

  restorekit restore clip.mp4 -o clean.mkv --codec h265 --crf 18
"""

FILES, VIDEOS = "Files", "Videos"


@with_inference_options()
def restore_command(
    images: Annotated[
        list[str],
        typer.Argument(
            help="Image files, folders, patterns such as 'photos/**/*.jpg', or videos; - for standard input.", show_default=False
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="A file for one image, whose suffix chooses the format, or a folder, or - for standard output. "
            "By default photo.restored.jpg next to it.",
            show_default=False,
            rich_help_panel=FILES,
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(help="denoise (the default), deblur or derain: chooses a bundled model.", show_default=False),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="The name of a model to use instead; `restorekit models` lists them.", show_default=False)
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(help="A .safetensors or .pth file to use instead; its architecture is recognised.", show_default=False),
    ] = None,
    *,
    options: InferenceOptions,
    format: Annotated[
        str | None,
        typer.Option(
            help="Format of the outputs, such as webp, png or tif. By default that of each input.",
            show_default=False,
            rich_help_panel=FILES,
        ),
    ] = None,
    suffix: Annotated[
        str | None,
        typer.Option(
            help="Text to add to names: --suffix _clean makes photo_clean.jpg. By default .restored, or nothing in a folder "
            "given as --output.",
            show_default=False,
            rich_help_panel=FILES,
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that exist, inputs included.", rich_help_panel=FILES)
    ] = False,
    quality: Annotated[
        int | None,
        typer.Option(
            help="For formats that have one, such as JPEG. By default visually lossless.",
            min=1,
            max=100,
            show_default=False,
            rich_help_panel=FILES,
        ),
    ] = None,
    compare: Annotated[
        bool,
        typer.Option("--compare", help="Also write NAME.compare.png (a video: .mp4): before and after.", rich_help_panel=FILES),
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(help="File for one line of JSON per image: times, sizes, errors.", show_default=False, rich_help_panel=FILES),
    ] = None,
    damaged: Annotated[
        str,
        typer.Option(
            help="refuse damaged files, or keep: restore what they still have, grey where pixels are missing.",
            rich_help_panel=FILES,
        ),
    ] = "refuse",
    workers: Annotated[
        int, typer.Option(help="Number of threads that read and write files while the network runs.", min=1, rich_help_panel=FILES)
    ] = 2,
    batch: Annotated[
        int, typer.Option(help="Number of images of one size that go through the network at once.", min=1, rich_help_panel=FILES)
    ] = 1,
    shard: Annotated[
        str | None,
        typer.Option(help="Restore only part i of n: i/n, for several machines.", show_default=False, rich_help_panel=FILES),
    ] = None,
    codec: Annotated[
        str | None,
        typer.Option(
            help="h264, h265, vp9, av1, prores or ffv1 (lossless). By default h264, in WebM vp9.",
            show_default=False,
            rich_help_panel=VIDEOS,
        ),
    ] = None,
    crf: Annotated[
        int | None,
        typer.Option(
            help="Quality of the codec: lower is better and larger, 0 to 51 (vp9, av1: 63). By default visually lossless.",
            show_default=False,
            rich_help_panel=VIDEOS,
        ),
    ] = None,
) -> None:
    """Restore photographs: one file, several files, a folder and its subfolders, or a video.

    Size, bits, colours, transparency, colour profile, EXIF and XMP data are kept. With several files, those whose output exists
    are skipped, so the same command resumes after an interruption. A file that cannot be restored is reported, the others
    continue, and the exit status is 1. An output file is written whole or not at all.
    """
    started = time.perf_counter()
    with ExitStack() as stack:
        try:
            video = VideoOptions(codec=codec, crf=crf, compare=compare, damaged=damaged)
            name = _model_name(task, model, weights)
            pipes = stack.enter_context(piped(images, output, suffix_of_format(format) if format else None))
            if pipes.target and compare:
                raise ValueError(
                    "--compare writes a file next to the output, which standard output does not have; leave out one of them"
                )
            jobs, problems = plan_jobs(
                pipes.inputs, pipes.output, overwrite=overwrite, compare=compare, format=format, suffix=suffix
            )
            lines = _report_file(report, jobs, [Path(image) for image in images], str(weights or name))
            jobs = part_of(jobs, *_shard(shard)) if shard else jobs
        except OSError as error:
            fail(error)
        except ValueError as error:
            fail(error, 2)
        for path, problem in problems:
            report_failure(path, problem)
        if others := left_out(pipes.inputs, pipes.output, format=format, suffix=suffix):
            say_aside(others)
        run = _Run(len(jobs), pipes)
        if any(not job.done for job in jobs):
            try:
                network = create_model(name, pretrained=True) if weights is None else model_from_checkpoint(weights)[0]
                restorer = Restorer(network, options)
            except ValueError as error:
                fail(error, 2)
            how = {"workers": workers, "batch": batch, "quality": quality, "compare": compare, "damaged": damaged}
            run.restore(restorer, jobs, lines, how, video)
        else:
            run.skipped = len(jobs)
        _send(pipes)
    total = len(jobs) + len(problems)
    summary = _summary(run, name if weights is None else str(weights), total, output, time.perf_counter() - started)
    (say_aside if pipes.target else say)(summary)
    if run.failed or problems or run.report_error:
        raise typer.Exit(1)


def _send(pipes: Pipes) -> None:
    """Write the result to standard output, if it is wanted there."""
    try:
        pipes.send()
    except OSError as error:
        drop_output()
        fail(f"{OUTPUT} cannot be written: {error.strerror}")


def _model_name(task: str | None, model: str | None, weights: Path | None) -> str:
    """Return the name of the requested model."""
    given = [option for option, value in (("--task", task), ("--model", model), ("--weights", weights)) if value is not None]
    if len(given) > 1:
        raise ValueError(f"{' and '.join(given)} each choose the network; give only one of them")
    return model or bundled_model(task or "denoise")


def _shard(text: str) -> tuple[int, int]:
    part, _, parts = text.partition("/")
    if not (part.isdecimal() and parts.isdecimal()):
        raise ValueError(f"a shard is i/n with i from 1 to n, such as 1/4; got {text}")
    return int(part), int(parts)


class _Run:
    """Shows the progress of jobs, and counts their outcomes.

    Args:
        total: number of jobs.
        pipes: what standard input and output stand for.
    """

    def __init__(self, total: int, pipes: Pipes) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self.progress = ProgressBar(*columns, console=console, transient=True, disable=not console.is_terminal)
        self.total, self.restored, self.skipped, self.failed = total, 0, 0, 0
        self.pipes = pipes
        self.last: Outcome | None = None
        self.report_error = ""

    @property
    def ended(self) -> int:
        """How many jobs have ended, with any outcome."""
        return self.restored + self.skipped + self.failed

    def restore(
        self, restorer: Restorer, jobs: list[Job], report: ReportFile | None, how: dict[str, Any], video: VideoOptions
    ) -> None:
        """Restore all files; an interruption exits with a message."""

        def ended(outcome: Outcome) -> None:
            outcome = self.pipes.renamed(outcome)
            if outcome.error:
                report_failure(outcome.job.source, outcome.error)
            elif words := outcome.details.get("damage"):
                warn(f"{outcome.job.source} is damaged: {words}")
            setattr(self, outcome.status, getattr(self, outcome.status) + 1)
            self.last = outcome
            if report is not None and not self.report_error:
                self._add_to(report, outcome)
            self.progress.update(bar, completed=self.ended, description=marked_up(outcome.job.source.name))

        def progress_of(job: Job) -> Progress:
            source = self.pipes.named(job).source

            def planned(plan: Plan) -> None:
                self._say_plan(source, plan)
                height, width = plan.tiling.size
                if height * width >= LARGE and not has_libvips() and not how["compare"] and can_go_by_rows(job, restorer):
                    say_aside(f"{source} is kept in memory as a whole; to process it in parts: pip install 'restorekit[io]'")
                tile_done(0, plan.tiling.num_tiles)

            def tile_done(done: int, total: int) -> None:
                if total > 1:
                    description = marked_up(f"{source.name}, tile {done} of {total}")
                    self.progress.update(bar, completed=self.ended + done / total, description=description)

            def frame_done(done: int, total: int) -> None:
                description = marked_up(f"{source.name}, {done} of {total}")
                self.progress.update(bar, completed=self.ended + done / total, description=description)

            return Progress(planned, tile_done, frame_done=frame_done)

        try:
            with self.progress:
                bar = self.progress.add_task("restoring", total=self.total)
                restore_files(restorer, [job for job in jobs if job.done or not job.is_video], ended, progress=progress_of, **how)
                for job in jobs:
                    if job.is_video and not job.done:
                        ended(self._restore_video(restorer, job, how["batch"], video))
        except KeyboardInterrupt:
            resumes = "; run the same command again to resume" if any(job.is_video for job in jobs) else ""
            console.print(f"interrupted: {self.restored} of {self.total} images are restored, the others are unchanged{resumes}")
            raise typer.Exit(130) from None

    def _restore_video(self, restorer: Restorer, job: Job, batch: int, options: VideoOptions) -> Outcome:
        """Restore a video, with a bar for its frames."""
        frames = self.progress.add_task(marked_up(f"{job.source.name}, looking at its frames"), total=None)

        def frames_done(done: int, total: int) -> None:
            if self.progress.tasks[self.progress.task_ids.index(frames)].total is None:  # the time left is estimated from here on
                self.progress.reset(frames, completed=done, total=total, description=marked_up(f"{job.source.name}, frame"))
            self.progress.update(frames, completed=done)

        def note(text: str) -> None:
            say_aside(f"{job.source}: {text}")

        try:
            details = restore_video(restorer, job.source, job.target, batch=batch, options=options, progress=frames_done, note=note)
            return Outcome(job, details=details)
        except Exception as error:  # a fault in one video must not stop the others
            return Outcome(job, error=str(error) or type(error).__name__)
        finally:
            self.progress.remove_task(frames)

    def _add_to(self, report: ReportFile, outcome: Outcome) -> None:
        """Write the line of a job; if that fails, say so, and continue without a report."""
        try:
            report.add(outcome)
        except (OSError, ValueError) as error:
            self.report_error = str(getattr(error, "strerror", None) or error)
            complain(f"{report.path} cannot be written: {self.report_error}; the files are still restored, without a report")

    @staticmethod
    def _say_plan(source: Path, plan: Plan) -> None:
        """Print a note before the work on a picture that needs several tiles."""
        if plan.tiling.num_tiles > 1:
            memory = "" if plan.needed is None else f", about {plan.needed / 1e9:.1f} GB of memory"
            rows, columns = plan.tiling.tile
            say_aside(f"{source}: {plan.tiling.num_tiles} tiles of {columns} x {rows}{memory}")


def _report_file(path: Path | None, jobs: list[Job], inputs: list[Path], model: str) -> ReportFile | None:
    """Return the requested report, still unwritten, or exit with a clear error."""
    if path is None:
        return None
    if path == Path(PIPE):
        fail("--report - cannot be used: later calls continue a report, so it must be a file, such as report.jsonl", 2)
    try:
        check_apart(path, jobs, others=inputs)
        return ReportFile(path, {"model": model})
    except (OSError, ValueError) as error:
        fail(f"--report {path} cannot be used: {error}", 2)


def _summary(run: _Run, model: str, total: int, output: Path | None, seconds: float) -> str:
    """Return a one-line summary."""
    if total == 1 and run.last is not None and run.last.status == "restored":
        details, job = run.last.details, run.last.job
        several = next((f", {details[what]} {what}," for what in ("pages", "frames") if details.get(what)), "")
        several += f", {details['note']}," if details.get("note") else ""
        engine = f" with {details['engine']}" if details.get("engine", "torch") != "torch" else ""
        return (
            f"{job.source} -> {job.target}: {details['width']} x {details['height']}{several} by {model} in "
            f"{details['precision']}{engine}, {seconds:.1f} s"
        )
    skipped = f", {run.skipped} already existed" if run.skipped else ""
    return f"restored {run.restored} of {total} images{f' to {output}' if output else ''}{skipped}; {seconds:.1f} s"
