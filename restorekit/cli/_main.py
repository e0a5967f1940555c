"""The command ``restorekit``: one file a subcommand."""

import sys

import typer

from restorekit.cli import _convert as convert
from restorekit.cli import _data as data
from restorekit.cli import _demo as demo
from restorekit.cli import _evaluate as evaluate
from restorekit.cli import _inspect as inspect
from restorekit.cli import _models as models
from restorekit.cli import _push as push
from restorekit.cli import _restore as restore
from restorekit.cli import _train as train
from restorekit.cli import _weights as weights
from restorekit.inference import keep_freed_memory

app = typer.Typer(name="restorekit", no_args_is_help=True, rich_markup_mode="rich", pretty_exceptions_enable=False)
for name, module, command in (
    ("demo", demo, demo.demo_command),
    ("restore", restore, restore.restore_command),
    ("models", models, models.models_command),
    ("inspect", inspect, inspect.inspect_command),
    ("convert", convert, convert.convert_command),
    ("train", train, train.train_command),
    ("evaluate", evaluate, evaluate.evaluate_command),
    ("push", push, push.push_command),
):
    app.command(name, epilog=module.EXAMPLES)(command)
app.add_typer(data.app, name="data")
app.add_typer(weights.app, name="weights")


def _version(wanted: bool) -> None:
    if wanted:
        from restorekit import __version__

        sys.stdout.write(f"restorekit {__version__}\n")
        raise typer.Exit


@app.callback()
def root(version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version.")) -> None:
    """Restore photographs with multi-stage networks. Start with: restorekit demo."""


def main() -> None:
    """Run the command line."""
    keep_freed_memory()
    app()
