"""Errors, grouped by where the fault is. Every error says what was found, what is needed and what to do."""

import unicodedata

__all__ = [
    "CheckpointError",
    "ConfigError",
    "DataError",
    "ExportError",
    "ImageError",
    "OptionError",
    "RestorekitError",
    "WiringError",
    "printable",
]


INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # Unicode's categories of control characters, formatting, lone bytes, line breaks
JOINERS = "\u200c\u200d"  # formatting that words and emoji consist of


def printable(text: object, *, lines: bool = True) -> str:
    r"""Return text with escapes for the characters that a terminal would obey or hide; names of files may contain any.

    Args:
        text: what to show.
        lines: whether to keep line breaks.

    Example:
        >>> print(printable("a\x1b[31m\n.png", lines=False))
        a\x1b[31m\n.png
    """
    return "".join(char if lines and char == "\n" else _visible(char) for char in str(text))


def _visible(char: str) -> str:
    if unicodedata.category(char) not in INVISIBLE or char in JOINERS:
        return char
    if "\udc80" <= char <= "\udcff":  # a byte of a name that is not UTF-8
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode()


class RestorekitError(Exception):
    """Base of all errors that this library raises on purpose, except plain ones such as ``ValueError`` for an argument.

    Its text cannot command a terminal.
    """

    def __str__(self) -> str:
        return printable(super().__str__())


class ConfigError(RestorekitError, ValueError):
    """An invalid description as data; the message says where, what was found and what to do."""


class WiringError(RestorekitError, ValueError):
    """Stages that do not fit together; the message names them, what they declare and what to change."""


class CheckpointError(RestorekitError, ValueError):
    """Weights that cannot be used; the message says what was found and what is needed."""


class ImageError(RestorekitError, ValueError):
    """An image that cannot be read, kept or written; the message says what was found and what to do."""


class DataError(RestorekitError, ValueError):
    """A data set that is incomplete or malformed; the message says what is missing and what to do."""


class ExportError(RestorekitError, RuntimeError):
    """A network that a target of export cannot express, or a written program that computes something else."""


class OptionError(RestorekitError, ValueError):
    """An invalid option; the message names it as the caller spelled it, and says which values it takes.

    Args:
        option: its name in Python, such as ``max_memory``.
        problem: what is wrong and what to do, worded to follow the name.

    Example:
        >>> error = OptionError("max_memory", "must be a size such as 2GB; got 'much'")
        >>> print(error)
        max_memory must be a size such as 2GB; got 'much'
        >>> error.in_shell
        "--max-memory must be a size such as 2GB; got 'much'"
    """

    def __init__(self, option: str, problem: str) -> None:
        super().__init__(option, problem)
        self.option, self.problem = option, problem

    def __str__(self) -> str:
        return printable(f"{self.option} {self.problem}")

    @property
    def in_shell(self) -> str:
        """The message with the option spelled as on the command line."""
        return f"--{self.option.replace('_', '-')} {self.problem}"
