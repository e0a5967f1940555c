"""The command ``restorekit``: one file a subcommand."""

import typer

from restorekit.cli import train

app = typer.Typer(name="restorekit", help="Restore photographs with multi-stage networks.", no_args_is_help=True)
app.command("train")(train.train_command)


@app.callback()
def root() -> None:
    """Restore photographs with multi-stage networks."""


def main() -> None:
    """Run the command line."""
    app()
