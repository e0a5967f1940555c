"""``-`` as input or output: standard input and output, by way of temporary files, so that the work is that of any file."""

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from restorekit.batch import Job, Outcome
from restorekit.errors import OptionError
from restorekit.images import all_formats

PIPE = "-"
INPUT, OUTPUT = Path("standard input"), Path("standard output")  # names in messages and reports
EXAMPLE = "cat photo.jpg | restorekit restore - > restored.jpg"
HEAD = 64  # bytes from which a format is recognised


@dataclass(frozen=True)
class Pipes:
    """Inputs and output of a call, with temporary files in the place of ``-``.

    Attributes:
        inputs: files, folders and patterns.
        output: a file, a folder, or None.
        source: temporary file with what came through standard input, or None.
        target: temporary file for standard output, or None.
    """

    inputs: Sequence[str]
    output: Path | None
    source: Path | None = None
    target: Path | None = None

    def named(self, job: Job) -> Job:
        """Return a job with the names that the user knows."""
        names = {self.source: INPUT, self.target: OUTPUT}
        return replace(job, source=names.get(job.source, job.source), target=names.get(job.target, job.target))

    def renamed(self, outcome: Outcome) -> Outcome:
        """Return an outcome with the names that the user knows."""
        error = outcome.error
        for path, name in ((self.source, INPUT), (self.target, OUTPUT)):
            error = error.replace(str(path), str(name)) if path else error
        return replace(outcome, job=self.named(outcome.job), error=error)

    def send(self) -> None:
        """Write the result to standard output, if it is wanted there and was made.

        Raises:
            OSError: if standard output does not take it.
        """
        if self.target is not None and self.target.exists():
            with self.target.open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.flush()


@contextmanager
def piped(inputs: Sequence[str], output: Path | None, suffix: str | None) -> Iterator[Pipes]:
    """Yield the inputs and the output of a call with temporary files in the place of ``-``, which exist during the block.

    Args:
        inputs: files, folders and patterns, or ``-`` alone.
        output: a file, a folder, ``-``, or None, which means ``-`` if that is the input.
        suffix: of the format for standard output; by default that of the input.

    Raises:
        ValueError: if these do not fit together, or to what standard input and output are.
        OSError: if standard input cannot be read or kept.
    """
    reads = PIPE in inputs
    writes = output == Path(PIPE) or (reads and output is None)
    _check(inputs, output, reads, writes)
    if not (reads or writes):
        yield Pipes(inputs, output)
        return
    with tempfile.TemporaryDirectory(prefix="restorekit-") as folder:
        source = _received(Path(folder)) if reads else None
        like = source or Path(inputs[0])
        target = Path(folder) / f"output{suffix or like.suffix}" if writes else None
        yield Pipes([str(source)] if source else inputs, target or output, source, target)


def _check(inputs: Sequence[str], output: Path | None, reads: bool, writes: bool) -> None:
    if reads and len(inputs) > 1:
        raise ValueError(
            f"- stands for standard input, which must be the only input; got {len(inputs)}; a file of this name is ./-"
        )
    if reads and sys.stdin is not None and sys.stdin.isatty():
        raise ValueError(f"standard input is a terminal; send an image through it: {EXAMPLE}")
    if reads and not writes and (output is None or output.is_dir() or not output.suffix):
        raise OptionError("output", f"must be - or the name of a file, since standard input has no name; got {output}")
    if writes and (len(inputs) > 1 or Path(inputs[0]).is_dir()):
        raise OptionError("output", "must be a folder for several images; standard output (-) takes one")
    if writes and (sys.stdout is None or sys.stdout.isatty()):
        what = "closed" if sys.stdout is None else "a terminal"
        raise OptionError(
            "output", f"is standard output, which is {what}: redirect it to a file or another program, such as > a.png"
        )


def _received(folder: Path) -> Path:
    """Return a file with what comes through standard input, with the suffix of its format."""
    content = folder / "input"
    with content.open("wb") as file:
        if sys.stdin is not None:
            shutil.copyfileobj(sys.stdin.buffer, file)
    if not content.stat().st_size:
        raise OSError(f"standard input is empty or closed; send an image through it: {EXAMPLE}")
    with content.open("rb") as file:
        head = file.read(HEAD)
    record = next((record for record in all_formats() if record.starts(head)), None)
    return content.rename(content.with_suffix(record.suffixes[0])) if record else content
