"""What every benchmark does with its results."""

from collections.abc import Sequence
from pathlib import Path


def show(lines: Sequence[str], output: Path | None, *, add: bool = False) -> None:
    """Print lines of Markdown, and write them to a file if there is one.

    Args:
        lines: what was measured.
        output: the file.
        add: whether to add them to what the file holds.
    """
    text = "\n".join(lines) + "\n"
    if output:
        before = output.read_text() + "\n" if add and output.exists() else ""
        output.write_text(before + text)
    print(text)
