"""``restorekit weights``: published weights, and those in the cache."""

from typing import Annotated

import typer
from rich.table import Table

from restorekit.checkpoints import hub
from restorekit.checkpoints.hub import Entry
from restorekit.cli._common import complain, fail, marked_up, print_result, say
from restorekit.models import fetch_weights, full_name, list_models, pretrained_config
from restorekit.provenance import Drive, PretrainedConfig, WebFile

EXAMPLES = """
Examples:

  restorekit weights list

  restorekit weights info mprnet_deblur.gopro

  restorekit weights download 'mprnet_*'

  restorekit weights download hf-hub:owner/repo

  restorekit weights verify

  restorekit weights clear mprnet_deblur.gopro
"""

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Manage the weights on this machine.",
    epilog=EXAMPLES,
)

Names = Annotated[
    list[str],
    typer.Argument(help="Names or patterns: arch.tag, 'arch*', hf-hub:owner/repo.", metavar="NAME...", show_default=False),
]
Name = Annotated[str, typer.Argument(help="Name: arch.tag, arch or hf-hub:owner/repo.", metavar="NAME", show_default=False)]


@app.command("list")
def list_command() -> None:
    """List all weights: size, whether they are on this machine, licence."""
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "size", "on this machine", "licence"):
        table.add_column(heading, no_wrap=True)
    registered = list_models(pretrained=True)
    cached = {entry.name: entry for entry in hub.entries() if entry.weights.is_file()}
    total = 0
    for name in [*registered, *(name for name in cached if name not in registered)]:
        about = pretrained_config(name)
        here, size = "no", about.size
        if about.bundled_path():
            here = "bundled"
        elif name in cached:
            here, size = "cached", cached[name].weights.stat().st_size
            total += size
        table.add_row(name, "-" if size is None else mebibytes(size), here, marked_up(about.licence.summary))
    print_result(table, 132)
    print_result(f"\n{mebibytes(total)} in {hub.home()}")


@app.command("info")
def info_command(name: Name) -> None:
    """Show everything about weights: licence, training, figures, sources, and the copy on this machine."""
    try:
        name = full_name(name)
        about = pretrained_config(name)
    except ValueError as error:
        fail(error)
    record, here = hub.Entry(name).record(), hub.Entry(name).weights
    known = facts(about)
    if record is not None:
        known += [("fetched", f"{record.when} from {record.origin}"), ("sha256", f"{record.sha256}, of the downloaded file")]
        known += [("cached", f"{here} ({mebibytes(record.size)})" if here.is_file() else "no longer")]
    elif about.bundled_path() is None:
        known += [("cached", "no")]
    print_result(described(name, known))


@app.command("download")
def download_command(names: Names) -> None:
    """Download weights into the cache; weights that are already there are skipped.

    Weights that are not available are reported, the others are downloaded, and the exit status is 1.
    """
    failed = False
    for name in _matching(names):
        try:
            path = fetch_weights(name)
        except (ValueError, OSError) as error:
            complain(error)
            failed = True
        else:
            say(f"{name}: {path} ({mebibytes(path.stat().st_size)})")
    if failed:
        raise typer.Exit(1)


@app.command("path")
def path_command(name: Name) -> None:
    """Print the path of weights that are on this machine."""
    try:
        name = full_name(name)
        cached = hub.Entry(name).cached()
        path = cached.path if cached else hub.in_place(pretrained_config(name))
    except ValueError as error:
        fail(error)
    if path is None:
        fail(f"{name} is not on this machine; run `restorekit weights download {name}`")
    print_result(str(path))


@app.command("verify")
def verify_command(
    names: Annotated[list[str] | None, typer.Argument(help="Names; by default all.", show_default=False)] = None,
) -> None:
    """Compare the files in the cache with their checksums from when they were written."""
    damaged = 0
    entries = _cached(names)
    if not entries:
        say(f"there are no weights in {hub.home()}")
    for entry in entries:
        if not entry.weights.is_file():
            say(f"{entry.name}: cleared")
        elif entry.cached() is None:
            damaged += 1
            say(f"{entry.name}: DAMAGED; it is downloaded again on next use, or run `restorekit weights clear {entry.name}`")
        else:
            say(f"{entry.name}: good")
    if damaged:
        fail(f"{damaged} damaged in {hub.home()}")


@app.command("trust")
def trust_command(name: Name) -> None:
    """Download weights again and accept them even if they differ from those of the first use."""
    try:
        name = full_name(name)
        before = hub.Entry(name).record()
        path = fetch_weights(name, trust=True)
    except (ValueError, OSError) as error:
        fail(error)
    after = hub.Entry(name).record()
    if after is None:
        say(f"{name} is used where it is: {path}")
        return
    same = before is not None and before.content == after.content
    say(f"{name}: sha256 {after.sha256} from {after.origin} is trusted" + ("; the weights have not changed" if same else ""))


@app.command("clear")
def clear_command(
    names: Annotated[list[str] | None, typer.Argument(help="Names.", show_default=False)] = None,
    everything: Annotated[bool, typer.Option("--all", help="Clear the whole cache.")] = False,
    forget: Annotated[bool, typer.Option("--forget", help="Also remove the records of the first use.")] = False,
) -> None:
    """Remove weights from the cache; the record of their checksum is kept, so that a change is noticed later."""
    if bool(names) == everything:
        fail("give the names of the weights to clear, or pass --all", 2)
    try:
        freed = sum(entry.clear(forget=forget) for entry in _cached(names))
    except (ValueError, OSError) as error:
        fail(error)
    say(f"{mebibytes(freed)} freed; huggingface_hub keeps its downloads in a separate cache: `hf cache`")


def facts(about: PretrainedConfig) -> list[tuple[str, str]]:
    """Return the description of weights: labels and texts."""
    figures = {(metric.dataset, metric.protocol): "" for metric in about.metrics}
    for metric in about.metrics:
        figures[metric.dataset, metric.protocol] += f", {metric.name} {metric.text}{metric.unit}"
    return [
        ("task", about.task),
        ("licence", about.licence.summary),
        ("terms", about.licence.url or "not stated"),
        ("trained", f"by {about.trained_by}, on {about.training_data}"),
        ("source", about.source),
        *(("figures", f"{dataset}: {told[2:]} ({protocol})") for (dataset, protocol), told in figures.items()),
        ("size", "not known" if about.size is None else mebibytes(about.size)),
        *(("places", source.url if isinstance(source, Drive | WebFile) else str(source)) for source in about.sources),
    ]


def described(name: str, known: list[tuple[str, str]]) -> str:
    """Return a name and its description in two columns; a label is not repeated."""
    width = max(len(label) for label, _ in known)
    lines, before = [name], ""
    for label, text in known:
        lines.append(f"  {label if label != before else '':{width}}  {text}")
        before = label
    return "\n".join(lines)


def mebibytes(size: int) -> str:
    """Return a size in readable form."""
    return f"{size / 2**20:.1f} MiB"


def _matching(names: list[str]) -> list[str]:
    """Return the names that match the patterns."""
    found = []
    for name in names:
        matches = list_models(name, pretrained=True) if "*" in name or "?" in name else [name]
        if not matches:
            fail(f"no weights match {name!r}; run `restorekit weights list`", 2)
        found += matches
    return found


def _cached(names: list[str] | None) -> list[Entry]:
    """Return the entries of the cache with these names; without names, all entries."""
    entries = {entry.name: entry for entry in hub.entries()}
    try:
        wanted = [full_name(name) for name in names] if names else list(entries)
    except ValueError as error:
        fail(error)
    unknown = [name for name in wanted if name not in entries]
    if unknown:
        fail(f"not in the cache: {', '.join(unknown)}; {hub.home()} contains {', '.join(entries) or 'nothing'}")
    return [entries[name] for name in wanted]
