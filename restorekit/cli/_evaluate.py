"""``restorekit evaluate``."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from restorekit._files import write_json
from restorekit.cli._common import console, fail, marked_up, say
from restorekit.cli._inference import with_inference_options
from restorekit.cli._network import load
from restorekit.evaluate import (
    DND,
    PAGE,
    RESULTS,
    TABLE,
    Evaluation,
    about_submission,
    describe,
    evaluate,
    find_protocol,
    foreign_files,
    published_text,
    write_csv,
    write_dnd_submission,
    write_report,
    write_results,
)
from restorekit.inference import InferenceOptions
from restorekit.network import RestorationNetwork

EXAMPLES = """
Examples:

  restorekit evaluate mprnet_tiny.denoise --data photos/ --protocol gaussian-25

  restorekit evaluate model_deblurring.pth --data GOPRO_Large/ --protocol gopro -o results/gopro --report

  restorekit evaluate model_deblurring.pth --data GOPRO_Large/ --protocol gopro -o results/local --pooling local

  restorekit evaluate model_deraining.pth --data Datasets/test/ --protocol rain --device cuda

  restorekit evaluate model_denoising.pth --data dnd_2017/ --protocol dnd -o submission/
"""


@with_inference_options(without=("alpha",), precision="float32")  # so that figures can be compared with published ones
def evaluate_command(
    model: Annotated[str, typer.Argument(help="Name of a set of weights, or the path of a checkpoint.", show_default=False)],
    data: Annotated[Path, typer.Option(help="Folder of the data set, as published.", show_default=False)],
    protocol: Annotated[
        str,
        typer.Option(
            help="Name of a protocol, such as gopro, sidd-val or gaussian-25; an unknown one lists all; dnd writes the submission.",
            show_default=False,
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write to.")] = Path("evaluation"),
    report: Annotated[bool, typer.Option("--report", help="Also write report.html: one page with pictures.")] = False,
    pictures: Annotated[int, typer.Option(help="Number of worst and of best images that the report shows.", min=0)] = 6,
    metric: Annotated[list[str] | None, typer.Option(help="Further metrics: lpips, dists.", show_default=False)] = None,
    download: Annotated[bool, typer.Option("--download", help="Allow further metrics to download their networks.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the results of an earlier evaluation in the folder.")
    ] = False,
    *,
    options: InferenceOptions,
) -> None:
    """Measure a model by the protocol of a published data set.

    The output folder receives results.json (all figures, image by image), results.csv (a row for each set and for their mean)
    and, with --report, report.html.
    """
    try:
        if protocol != DND:
            find_protocol(protocol)
        if (output.exists() and not output.is_dir()) or (output.is_dir() and any(output.iterdir()) and not overwrite):
            raise FileExistsError(f"{output} is in use; choose another folder with --output, or pass --overwrite")
        if foreign := [path for path in foreign_files(output) if (path == about_submission(output)) == (protocol == DND)]:
            raise FileExistsError(
                f"{' and '.join(map(str, foreign))} would be replaced, but no evaluation has written it; move it, or choose "
                "another folder with --output"
            )
        network, weights = load(model)
        if protocol == DND:
            submit(network, data, output, options, model, weights)
            return
        with showing_progress() as show:
            evaluation = evaluate(
                network,
                data,
                protocol,
                options=options,
                learned=metric or (),
                download=download,
                pictures=pictures if report else 0,
                name=model,
                weights=weights,
                on_progress=show,
            )
        output.mkdir(parents=True, exist_ok=True)
        write_results(evaluation, output / RESULTS)
        write_csv(evaluation, output / TABLE)
        page = output / PAGE
        if report:
            write_report(evaluation, page)
        else:
            page.unlink(missing_ok=True)  # the page of an earlier call would show other figures
    except KeyboardInterrupt:
        console.print("interrupted; nothing was measured, since a mean over some of the images is not a result")
        raise typer.Exit(130) from None
    except (ValueError, OSError, MemoryError, RuntimeError, ModuleNotFoundError) as error:
        fail(error)
    for line in table(evaluation):
        say(line)
    say(f"wrote results.json, results.csv{', report.html' if report else ''} in {output.resolve()}")


def submit(
    network: RestorationNetwork, data: Path, output: Path, options: InferenceOptions, model: str, weights: Path | None
) -> None:
    """Write the submission for DND, and next to its folder a JSON file that says how it was made."""
    with showing_progress() as show:
        boxes = write_dnd_submission(network, data, output, options=options, on_progress=show)
    about = describe(network, options, name=model, weights=weights)
    write_json(about_submission(output), {"protocol": "dnd", "boxes": boxes, **about})
    say(f"{boxes} denoised boxes in {output}; send its .mat files to the server of the benchmark")


@contextmanager
def showing_progress() -> Iterator[Callable[[int, int, str], None]]:
    """Yield a function that shows a progress bar from its first call, and advances it."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    progress = Progress(*columns, console=console, transient=True)
    task = progress.add_task("reading the data", total=None)

    def show(done: int, total: int, what: str) -> None:
        progress.start()
        progress.update(task, completed=done, total=total, description=marked_up(what))

    try:
        yield show
    finally:
        if progress.live.is_started:  # rich prints an empty line for a bar that was never shown
            progress.stop()


def table(evaluation: Evaluation) -> list[str]:
    """Return the means as lines of text, with the published figures below them."""
    lines = [evaluation.definition]
    for row in evaluation.rows():
        values = row["values"]
        figures = ", ".join(
            f"{name} {value:.2f}" if name.endswith("psnr") else f"{name} {value:.4f}" for name, value in values.items()
        )
        lines.append(f"{row['set']} ({row['images']} images): {figures}")
        lines += [f"  published: {published_text(other)}" for other in row["published"]]
        if row["published"] and not row["complete"]:
            lines.append("  the set is incomplete, so the difference from published figures is meaningless")
    return lines
