"""Errors, grouped by where the fault is. Every error says what was found, what is needed and what to do."""

__all__ = [
    "CheckpointError",
    "ConfigError",
    "DataError",
    "ImageError",
    "OptionError",
    "RestorekitError",
    "WiringError",
    "printable",
]


def printable(text: str) -> str:
    r"""Return a text with escapes for the characters that a terminal would obey; names in files may contain any.

    Example:
        >>> print(printable("a\x1b[2Jb"))
        a\x1b[2Jb
    """
    return "".join(each if each.isprintable() or each == "\n" else ascii(each)[1:-1] for each in text)


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
