"""What the subcommands share: models by task, and messages; streams may be closed or full, and names may be anything."""

import io
import os
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from restorekit.errors import CheckpointError, OptionError, printable
from restorekit.models import DEFAULT_MODELS
from restorekit.parts import did_you_mean

TASKS = tuple(DEFAULT_MODELS)

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the file if it exists.")]


class _StandardError:
    """Standard error at the time of each call. What it cannot take is dropped: a lost message must not stop the work."""

    def write(self, text: str) -> int:
        """Write text."""
        return self._call("write", text) or len(text)

    def flush(self) -> None:
        """Flush."""
        self._call("flush")

    def isatty(self) -> bool:
        """Return whether it is a terminal."""
        return bool(self._call("isatty"))

    def fileno(self) -> int:
        """Return its descriptor, for the width of the terminal."""
        return int(self._stream().fileno())

    @property
    def encoding(self) -> str:
        """Its encoding."""
        return getattr(self._stream(), "encoding", None) or "utf-8"

    @staticmethod
    def _stream() -> Any:
        return getattr(sys.stderr, "rich_proxied_file", sys.stderr)  # progress bars put a proxy in its place, which writes to this

    def _call(self, method: str, *arguments: Any) -> Any:
        try:
            stream = self._stream()
            return stream and getattr(stream, method)(*arguments)
        except (OSError, ValueError):  # it is full, a terminal that is gone, or closed
            return None


console = Console(file=_StandardError(), highlight=False, soft_wrap=True)  # type: ignore[arg-type]  # all that rich uses


def marked_up(text: object, *, lines: bool = False) -> str:
    """Return text to show as rich prints it unchanged, in messages and progress bars."""
    return escape(printable(text, lines=lines))


def fail(message: object, status: int = 1) -> NoReturn:
    """Print an error and exit with a status; an error in an option, spelled as in the shell, always exits with 2."""
    if isinstance(message, OptionError):
        message, status = message.in_shell, 2
    complain(message)
    raise typer.Exit(status)


def refuse_existing(path: Path, overwrite: bool) -> None:
    """Print an error and exit, unless a file does not exist yet or may be replaced."""
    if path.exists() and not overwrite:
        fail(f"{path} exists; choose another name, or pass --overwrite", 2)


def complain(message: object) -> None:
    """Print an error."""
    lines = isinstance(message, CheckpointError)  # lists the places that were tried
    console.print(f"[bold red]error:[/] {marked_up(message, lines=lines)}")


def warn(message: object) -> None:
    """Print a warning: something unexpected that is not a reason to stop."""
    console.print(f"[bold yellow]warning:[/] {marked_up(message)}")


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
    name, text = printable(path, lines=False), printable(error, lines=False)
    console.print(f"[bold red]failed:[/] {escape(text if text.startswith(name) else f'{name}: {text}')}")


def say_aside(message: str) -> None:
    """Print a note that is not part of the result."""
    console.print(marked_up(message))


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
    """Print a line about finished work to standard output; if that fails, print a warning, because the work is done anyway."""
    if problem := _write(f"{printable(message, lines=False)}\n"):
        warn(f"{problem}; the message was: {message}")


def print_result(result: str | Table, width: int | None = None) -> None:
    """Print a requested result to standard output; if it cannot be written, exit with status 1.

    Args:
        result: text, or a table.
        width: of the table.
    """
    if isinstance(result, Table):
        text = io.StringIO()
        Console(file=text, force_terminal=_is_terminal(), highlight=False, width=width).print(result)
        result = text.getvalue().removesuffix("\n")
    else:
        result = printable(result)
    if problem := _write(f"{result}\n"):
        fail(problem)


def _is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()


def flush_output(status: int) -> int:
    """Return the exit status after all output is written: 1 at least if that fails."""
    if problem := _write(""):
        complain(problem)
        return status or 1
    return status


def drop_output() -> None:
    """Drop what is still to be written to standard output, after it failed: it would fail again at the end of the process."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _write(text: str) -> str:
    """Write to standard output; return why that failed, or nothing."""
    if sys.stdout is None:
        return "standard output is closed" if text else ""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        drop_output()
        return f"standard output cannot be written: {error.strerror}"
    return ""
