"""What the subcommands share."""

import sys
from collections.abc import Iterable
from typing import NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from restorekit.errors import OptionError
from restorekit.models import list_models, pretrained_config
from restorekit.parts import did_you_mean

TASKS = ("denoise", "deblur", "derain")

console = Console(stderr=True, highlight=False, soft_wrap=True)


def fail(message: object, status: int = 1) -> NoReturn:
    """Print an error and leave with a status; that of an option, spelled as in the shell, is always 2."""
    if isinstance(message, OptionError):
        message, status = message.in_shell, 2
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


def say_aside(message: str) -> None:
    """Print what is good to know, and no part of the result."""
    console.print(_escaped(message))


def bundled_model(task: str, tasks: Iterable[str] = TASKS) -> str:
    """Return the name of the model for a task whose weights come with the package.

    Raises:
        ValueError: if there is none.
    """
    if task not in tasks:
        raise ValueError(f"unknown task {task!r}{did_you_mean(task, tasks)}")
    bundled = [name for name in list_models("mprnet_tiny.*", pretrained=True) if pretrained_config(name).bundled_path()]
    if f"mprnet_tiny.{task}" not in bundled:
        have = ", ".join(name.partition(".")[2] for name in bundled)
        raise ValueError(f"no weights for {task} come with the package; there are those for: {have}")
    return f"mprnet_tiny.{task}"


def say(message: str) -> None:
    """Print a line of the result to standard output."""
    sys.stdout.write(message + "\n")


def _escaped(message: object) -> str:
    return escape(str(message))
