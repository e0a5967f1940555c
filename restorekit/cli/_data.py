"""``restorekit data``: previewing degradations, preparing data sets."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from restorekit.cli._common import Overwrite, console, fail, refuse_existing, say
from restorekit.data import (
    Combination,
    Degradation,
    create_degradation,
    degradations,
    degrade,
    drawn_place,
    prepare_sidd,
    random_crop,
    read_rgb,
    sample_rng,
)
from restorekit.images import check_can_hold, contact_sheet, find_images, sample_photo, write_image

COMBINED = "combined"

PREVIEW_EXAMPLES = """
Examples:

  restorekit data preview

  restorekit data preview photos/ -d motion_blur -d rain:layers=3,length=20..40 -o sheet.png --seed 7
"""

PREPARE_EXAMPLES = """
Examples:

  restorekit data prepare sidd SIDD_Medium_Srgb/ -o sidd_crops/

  restorekit data prepare sidd SIDD_Medium_Srgb/ -o small/ --crops 50 --side 128
"""

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Preview degradations; prepare data sets for training.",
)


@app.command("preview", epilog=PREVIEW_EXAMPLES)
def preview_command(
    photos: Annotated[
        Path | None, typer.Argument(help="An image, or a folder of images; by default the bundled image.", show_default=False)
    ] = None,
    degradation: Annotated[
        list[str] | None,
        typer.Option(
            "--degradation",
            "-d",
            help="name, or name:argument=value,...; a range is 5..20. By default all of them, and all combined in random order.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the picture.")] = Path("degradations.png"),
    rows: Annotated[int, typer.Option(help="Number of samples, one per row.", min=1, max=50)] = 3,
    side: Annotated[int, typer.Option(help="Side of a crop in pixels.", min=16, max=2048)] = 160,
    seed: Annotated[int, typer.Option(help="Seed of crops and degradations.", min=0)] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Draw a contact sheet of degradations: one crop per row, one degradation per column.

    Crops and degradations depend only on the seed and the row.
    """
    try:
        check_can_hold(output, "RGB")
        refuse_existing(output, overwrite)
        kinds = {text: parse_degradation(text) for text in degradation or list(degradations)}
        if not degradation:
            kinds[COMBINED] = Combination(list(kinds.values()))
        if photos is None:
            images = [sample_photo()]
        else:
            paths = find_images(photos) if photos.is_dir() else [photos]
            images = [read_rgb(paths[drawn_place(seed, i, len(paths))]) for i in range(min(rows, len(paths)))]
        sheet = []
        for index in range(rows):
            (clean,) = random_crop([images[index % len(images)]], side, sample_rng(seed, index), augment=False)
            degraded = [(degrade(clean, kind, seed=seed, index=index), text) for text, kind in kinds.items()]
            sheet.append([(clean, "clean"), *degraded])
        write_image(contact_sheet(sheet), output)
    except (ValueError, TypeError, OSError) as error:
        fail(error)
    say(f"wrote {output.resolve()}: {', '.join(kinds)}")


def parse_degradation(text: str) -> Degradation:
    """Return the degradation described by ``name`` or ``name:argument=value,...``; a range is written ``5..20``.

    Raises:
        ValueError: if the text is malformed, or names something unknown.
    """
    name, _, rest = text.partition(":")
    arguments: dict[str, float | list[float]] = {}
    for part in filter(None, rest.split(",")):
        key, equals, value = part.partition("=")
        try:
            numbers = [float(number) for number in value.split("..")]
        except ValueError:
            numbers = []
        if not equals or len(numbers) not in (1, 2):
            raise ValueError(f"{text!r}: expected name:argument=value,... with numbers or ranges such as 5..20; got {part!r}")
        arguments[key] = numbers if len(numbers) == 2 else numbers[0]
    try:
        return create_degradation(name, **arguments)
    except TypeError as error:
        raise ValueError(f"{text!r}: {str(error).partition(' ')[2]}") from error


@app.command("prepare", epilog=PREPARE_EXAMPLES)
def prepare_command(
    dataset: Annotated[str, typer.Argument(help="Data set: sidd.")],
    source: Annotated[Path, typer.Argument(help="Folder of the data set as published.", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write to.", show_default=False)],
    crops: Annotated[int, typer.Option(help="Number of crops of each pair of photographs.", min=1)] = 300,
    side: Annotated[int, typer.Option(help="Side of a crop in pixels.", min=1)] = 256,
    seed: Annotated[int, typer.Option(help="Seed of the crop positions.", min=0)] = 0,
) -> None:
    """Cut a data set of large photographs into crops, so that training need not decode whole photographs.

    sidd: random crops of SIDD-Medium (sRGB), as PNG files in input/ and target/. Repeat the command to resume after an
    interruption.
    """
    if dataset != "sidd":
        fail(f"only sidd needs preparing; got {dataset!r}. Other data sets are read as they were published", 2)
    try:
        with Progress(console=console, transient=True) as progress:
            task = progress.add_task("cutting crops")
            total = prepare_sidd(
                source,
                output,
                crops=crops,
                side=side,
                seed=seed,
                on_progress=lambda done, pairs: progress.update(task, completed=done, total=pairs),
            )
    except KeyboardInterrupt:
        console.print(f"interrupted; run the same command again to write what is missing in {output}")
        raise typer.Exit(130) from None
    except (ValueError, OSError) as error:
        fail(error)
    say(f"{total} pairs of crops in {output}")
