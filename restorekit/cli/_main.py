"""The command ``restorekit``: one file per command, imported when the command is called."""

import importlib
import sys
from typing import Any, NoReturn

import typer
from typer.core import TyperCommand

from restorekit import __version__
from restorekit._allocator import keep_freed_memory
from restorekit.cli._common import complain, drop_output, flush_output, print_result
from restorekit.cli._parts import with_parts
from restorekit.cli._process import occupy_closed_streams, status_after_signals, stop_like_ctrl_c

COMMANDS = {  # and their summaries, which repeat the first line of each docstring
    "demo": "Degrade a bundled photograph, restore it with bundled weights, and write clean, degraded and restored side by side.",
    "app": "Open a window in the browser that restores pictures on this machine.",
    "restore": "Restore photographs: one file, several files, a folder and its subfolders, or a video.",
    "models": "List models: name, task, parameters, size, licence and location of the weights.",
    "inspect": "Show what a network is made of: stages, their connections, parameters and cost.",
    "convert": "Convert a checkpoint to safetensors with the names of this library, or back to the names of the original authors.",
    "export": "Write a network to a file that other programs run, for images of any size.",
    "train": "Train a network from a recipe.",
    "evaluate": "Measure a model by the protocol of a published data set.",
    "push": "Publish a model on the Hugging Face Hub: weights, config, model card, licence.",
    "data": "Preview degradations; prepare data sets for training.",
    "weights": "Manage the weights on this machine.",
}

app = typer.Typer(name="restorekit", no_args_is_help=True, rich_markup_mode="rich", pretty_exceptions_enable=False)


class Deferred(TyperCommand):
    """Takes the place of a command in the list of commands; a call runs the command itself."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Return the context of the command itself, importing it."""
        return imported(str(self.name)).make_context(info_name, args, parent, **extra)


def imported(name: str) -> Any:
    """Return a command, or group of commands, with all its options."""
    module = importlib.import_module(f"restorekit.cli._{name}")
    if name in ("data", "weights"):
        return typer.main.get_command(module.app)
    alone = typer.Typer(rich_markup_mode="rich", pretty_exceptions_enable=False, add_completion=False)
    alone.command(name, epilog=module.EXAMPLES)(with_parts(getattr(module, f"{name}_command")))
    return typer.main.get_command(alone)


for name, about in COMMANDS.items():
    app.command(name, cls=Deferred, help=about)(lambda: None)


def _version(wanted: bool) -> None:
    if wanted:
        print_result(f"restorekit {__version__}")
        raise typer.Exit


@app.callback()
def root(version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version.")) -> None:
    """Restore photographs with multi-stage networks. Start with: restorekit demo."""


def main() -> NoReturn:
    """Run the command line."""
    keep_freed_memory()
    occupy_closed_streams()
    stop_like_ctrl_c()
    status: Any = 1
    try:
        app()
    except SystemExit as end:
        status = end.code
    except OSError as error:  # commands explain theirs: the help was not written
        complain(error)
        drop_output()
    sys.exit(status_after_signals(flush_output(status or 0)))
