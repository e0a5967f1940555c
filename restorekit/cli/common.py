"""What the subcommands share."""

import sys
from typing import NoReturn

import typer
from rich.console import Console

console = Console(stderr=True, highlight=False, soft_wrap=True)


def fail(message: object, status: int = 1) -> NoReturn:
    """Print an error and leave with a status."""
    complain(message)
    raise typer.Exit(status)


def complain(message: object) -> None:
    """Print an error."""
    console.print(f"[bold red]error:[/] {_escaped(message)}")


def warn(message: object) -> None:
    """Print what is not as it should be, and no reason to stop."""
    console.print(f"[bold yellow]warning:[/] {_escaped(message)}")


def report_failure(path: object, error: object) -> None:
    """Print an error about one of several files."""
    text = str(error)
    console.print(f"[bold red]failed:[/] {_escaped(text if text.startswith(str(path)) else f'{path}: {text}')}")


def say(message: str) -> None:
    """Print a line of the result to standard output."""
    sys.stdout.write(message + "\n")


def _escaped(message: object) -> str:
    from rich.markup import escape

    return escape(str(message))
