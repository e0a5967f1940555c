"""``restorekit inspect``."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.table import Table

from restorekit.cli._common import Overwrite, fail, print_result, refuse_existing, say
from restorekit.composition import compose, json_schema, read_config
from restorekit.inspection import DEFAULT_SIZE, Inspection, PartCost, check_drawable, inspect_model, time_parts
from restorekit.inspection import draw as draw_wiring
from restorekit.models import create_model
from restorekit.stages import Level, MultiStage

WIDTH = 132  # width of the table; narrower terminals wrap its lines
TIME_SIDE = 128  # side of the image for measuring times, if no size is given

EXAMPLES = """
Examples:

  restorekit inspect mprnet_deblur

  restorekit inspect network.toml --size 512x768 --time

  restorekit inspect network.json --draw wiring.svg

  restorekit inspect --schema > composition.schema.json
"""


def inspect_command(
    network: Annotated[
        str, typer.Argument(help="Composition (.json or .toml), or the name of a registered model.", show_default=False)
    ] = "",
    size: Annotated[str, typer.Option(metavar="HxW", help="Height and width of the image.", show_default="256x256")] = "",
    timed: Annotated[
        bool, typer.Option("--time", help=f"Measure the time of each part, at --size or else {TIME_SIDE}x{TIME_SIDE}.")
    ] = False,
    draw: Annotated[Path | None, typer.Option(help="Draw the wiring into an .svg file.", show_default=False)] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of compositions, for editors.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print plain data instead of a table.")] = False,
    overwrite: Overwrite = False,
) -> None:
    """Show what a network is made of: stages, their connections, parameters and cost.

    Nothing is computed, unless times are requested. Multiply-accumulates (MACs) cover convolutions and matrix products.
    """
    if schema:
        print_result(json.dumps(json_schema(), indent=2))
        return
    if not network:
        fail("give a composition (.json or .toml) or the name of a registered model; restorekit models lists the models", 2)
    try:
        height_width = _parsed(size) if size else None
        if draw is not None:
            check_drawable(draw)
            refuse_existing(draw, overwrite)
        model = _build(network, on_meta=not timed)
        found = inspect_model(model, height_width or _fitting(DEFAULT_SIZE, model.size_multiple))
        if timed:
            found = time_parts(model, found, height_width or _fitting((TIME_SIDE, TIME_SIDE), model.size_multiple))
        if draw is not None:
            draw_wiring(model, draw, title=Path(network).stem if network.endswith((".json", ".toml")) else network)
    except (ValueError, OSError) as error:
        fail(error, 2)
    if as_json:
        print_result(json.dumps(found.as_data(), indent=2))
        return
    print_result(_table(found), WIDTH)
    print_result("\n".join(_remarks(found)))
    if draw is not None:
        say(f"drawn into {draw}")


def _build(network: str, *, on_meta: bool) -> MultiStage:
    """Return a new network, without values in its weights unless they are needed."""
    with torch.device("meta" if on_meta else "cpu"):
        if network.endswith((".json", ".toml")):
            config = read_config(network)
            try:
                return compose(config)
            except ValueError as error:
                raise ValueError(f"{network}: {error}") from error
        model = create_model(network)
    if not isinstance(model, MultiStage):
        raise ValueError(f"{network} is a {type(model).__name__}; only networks made of stages can be inspected")
    return model


def _parsed(size: str) -> tuple[int, int]:
    sides = size.lower().split("x")
    if len(sides) != 2 or not all(side.isdecimal() for side in sides):
        raise ValueError(f"--size must be height and width, such as 256x384; got {size!r}")
    return int(sides[0]), int(sides[1])


def _fitting(size: tuple[int, int], multiple: int) -> tuple[int, int]:
    """Return the next size that a network takes."""
    height, width = (side + -side % multiple for side in size)
    return height, width


def _table(found: Inspection) -> Table:
    """Return the parts under their stages, with the cost of each."""
    table = Table(box=None, pad_edge=False)
    for heading in ("part", "kind", "channels / stride", "grid"):
        table.add_column(heading, no_wrap=heading != "channels / stride")
    for heading in ("parameters", "GMACs", "share", *(("ms", "share") if found.time_size else ())):
        table.add_column(heading, justify="right", no_wrap=True)
    for number in sorted({part.stage for part in found.parts}):
        parts = [part for part in found.parts if part.stage == number]
        table.add_row(f"stage {number}", "", "", "", *_costs(parts, found), style="bold")
        for part in parts:
            grids = dict.fromkeys(f"{rows}x{cols}" for rows, cols in part.grids)
            levels = dict.fromkeys(_levels(given) for given in part.levels)
            role = "encode, decode" if part.role == "stage" else part.role
            table.add_row(f"  {role}", part.kind, " -> ".join(levels), " -> ".join(grids), *_costs([part], found))
    table.add_row("all", "", "", "", *_costs(found.parts, found), style="bold")
    return table


def _levels(levels: Sequence[Level]) -> str:
    return ", ".join(str(level.width) if level.stride == 1 else f"{level.width}/{level.stride}" for level in levels)


def _costs(parts: Sequence[PartCost], found: Inspection) -> list[str]:
    """Return the total cost of parts, and its share of the whole network."""

    def share(value: float, whole: float) -> str:
        return f"{100 * value / whole:.1f} %" if whole else "-"

    macs = sum(part.macs for part in parts)
    cells = [f"{sum(part.parameters for part in parts):,}", f"{macs / 1e9:.2f}", share(macs, found.macs)]
    if found.seconds is not None:
        seconds = sum(part.seconds or 0 for part in parts)
        cells += [f"{1000 * seconds:.1f}", share(seconds, found.seconds)]
    return cells


def _remarks(found: Inspection) -> list[str]:
    """Return notes that explain the numbers of the table."""

    def size(sides: tuple[int, int]) -> str:
        return f"{sides[0]}x{sides[1]}"

    lines = [
        "",
        f"GMACs: 10^9 multiply-accumulates of convolutions and matrix products, for one image of {size(found.size)}.",
        f"Height and width must be multiples of {found.size_multiple}.",
        f"Memory: up to {found.peak_bytes / 2**20:.0f} MiB of weights and features at once in float32; kernels need extra memory.",
    ]
    if found.published_macs != found.macs:
        totals: dict[int, Any] = {}
        for part in found.parts:
            totals[part.stage] = totals.get(part.stage, 0) + part.published_macs
        stages = ", ".join(f"{macs / 1e9:.1f}" for macs in totals.values())
        lines.insert(
            2,
            "In the order of the papers, with upsampling before its 1x1 convolution, the same network has "
            f"{found.published_macs / 1e9:.1f} GMACs; its stages {stages}.",
        )
    if found.time_size:
        threads = torch.get_num_threads()
        lines.append(f"Times: medians of each part alone, at {size(found.time_size)} in float32 on the CPU, {threads} threads.")
    return lines
