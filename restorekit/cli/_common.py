"""What the subcommands share."""

import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from restorekit.errors import OptionError, printable
from restorekit.parts import did_you_mean

DEFAULT_MODELS = {"denoise": "nafnet_tiny.denoise", "deblur": "mprnet_tiny.deblur", "derain": "mprnet_tiny.derain"}
TASKS = tuple(DEFAULT_MODELS)

console = Console(stderr=True, highlight=False, soft_wrap=True)


def fail(message: object, status: int = 1) -> NoReturn:
    """Print an error and exit with a status; an error in an option, spelled as in the shell, always exits with 2."""
    if isinstance(message, OptionError):
        message, status = message.in_shell, 2
    complain(message)
    raise typer.Exit(status)


def complain(message: object) -> None:
    """Print an error."""
    console.print(f"[bold red]error:[/] {_escaped(message)}")


def warn(message: object) -> None:
    """Print a warning: something unexpected that is not a reason to stop."""
    console.print(f"[bold yellow]warning:[/] {_escaped(message)}")


@contextmanager
def showing_warnings() -> Iterator[None]:
    """Print the warnings of a block after it, as :func:`warn` does."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        warn(warning.message)


def report_failure(path: object, error: object) -> None:
    """Print an error about one of several files."""
    text = str(error)
    console.print(f"[bold red]failed:[/] {_escaped(text if text.startswith(str(path)) else f'{path}: {text}')}")


def say_aside(message: str) -> None:
    """Print a note that is not part of the result."""
    console.print(_escaped(message))


def bundled_model(task: str, tasks: Iterable[str] = TASKS) -> str:
    """Return the name of the bundled model for a task.

    Raises:
        ValueError: if no bundled model fits.
    """
    if task not in tasks:
        raise ValueError(f"unknown task {task!r}{did_you_mean(task, tasks)}")
    if task not in DEFAULT_MODELS:
        raise ValueError(f"no bundled weights for {task}; available tasks: {', '.join(DEFAULT_MODELS)}")
    return DEFAULT_MODELS[task]


def say(message: str) -> None:
    """Print a line of the result to standard output."""
    sys.stdout.write(printable(message) + "\n")


def _escaped(message: object) -> str:
    return escape(printable(str(message)))
