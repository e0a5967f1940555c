"""``restorekit models``."""

from functools import cache
from typing import Annotated

import typer
from rich.table import Table

from restorekit.cli._common import fail, print_result
from restorekit.cli._weights import described, facts, mebibytes
from restorekit.models import architectures, list_models, pretrained_config
from restorekit.provenance import Drive

WIDTH = 160  # width of the table; narrower terminals wrap its lines, names are never truncated

EXAMPLES = """
Examples:

  restorekit models

  restorekit models 'mprnet_de*' --task deblur

  restorekit models mprnet_deblur --details
"""


def models_command(
    pattern: Annotated[str, typer.Argument(help="Only models whose name matches, such as 'mprnet_de*'.", show_default=False)] = "",
    task: Annotated[
        str | None, typer.Option(help="Only weights for this task: denoise, deblur or derain.", show_default=False)
    ] = None,
    commercial_use: Annotated[bool, typer.Option("--commercial-use", help="Only weights that allow commercial use.")] = False,
    details: Annotated[
        bool, typer.Option("--details", help="Show all about the weights: terms, training, figures with their protocol, sources.")
    ] = False,
) -> None:
    """List models: name, task, parameters, size, licence and location of the weights.

    A size that is not stated is shown with ~: it is the size of the parameters in float32.
    """
    restricted = task is not None or commercial_use
    weights = list_models(f"{pattern}*" if pattern else "", pretrained=True, task=task, commercial_use=commercial_use or None)
    unweighted = [] if restricted else [name for name in list_models(pattern) if not architectures.get(name).pretrained]
    if not weights and not unweighted:
        fail("no model matches; run `restorekit models` to see all models")
    if details:
        print_result("\n\n".join(described(name, facts(pretrained_config(name))) for name in weights))
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "task", "parameters", "weights", "licence of the weights", "commercial use", "where"):
        table.add_column(heading, no_wrap=True)

    @cache  # a large network takes a while to build, and may have several weights
    def count(architecture: str) -> int:
        entry = architectures.get(architecture)
        if entry.parameters is not None:
            return entry.parameters
        import torch  # only here: the models of this package state their size, and importing PyTorch is slow

        with torch.device("meta"):
            return sum(parameter.numel() for parameter in entry.builder().parameters())

    for name in [*weights, *unweighted]:
        parameters = count(name.partition(".")[0])
        if name in unweighted:
            table.add_row(name, "-", f"{parameters:,}", "-", "-", "-", "-")
            continue
        config = pretrained_config(name)
        size = f"~{mebibytes(4 * parameters)}" if config.size is None else mebibytes(config.size)
        source = next(iter(config.sources), "not published")
        where = "Google Drive" if isinstance(source, Drive) else str(source)
        allowed = "yes" if config.licence.commercial_use else "no"
        table.add_row(name, config.task, f"{parameters:,}", size, config.licence.name, allowed, where)
    print_result(table, WIDTH)
