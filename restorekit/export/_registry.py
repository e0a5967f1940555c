"""The registry of export targets, and the one way to write a file for any of them."""

import copy
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from restorekit._files import PART
from restorekit.errors import ExportError, OptionError
from restorekit.export._check import Check, checked
from restorekit.export._program import Precision, Program
from restorekit.network import RestorationNetwork, network_in
from restorekit.parts import Registry

Run = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]
Write = TypeVar("Write", bound=Callable[[Program, Path], Run])


class Exported(NamedTuple):
    """What was written.

    Attributes:
        files: the file, and those next to it that it needs.
        check: how it was compared with the network.
    """

    files: tuple[Path, ...]
    check: Check


class Exporter(NamedTuple):
    """An export target.

    Attributes:
        name: name for :func:`export_model`.
        suffixes: suffixes of its files, the usual one first.
        extra: extra of this package that installs its requirements; empty if it needs nothing.
        write: function of a program and a path that writes the file, and returns a function that runs it.
        tiny: whether its programs take images whose height or width is at most the ``size_multiple`` of the network.
    """

    name: str
    suffixes: Sequence[str]
    extra: str
    write: Callable[[Program, Path], Run]
    tiny: bool = True


_exporters: Registry[Exporter] = Registry("exporter", "restorekit.export")


def register_exporter(name: str, *, suffixes: Sequence[str], extra: str = "", tiny: bool = True) -> Callable[[Write], Write]:
    """Return a decorator that registers a target: a function ``(program, path)``.

    The function gets a module that takes images of any height, width and number, and has the ``facts`` that the file should state.
    It writes the file, with further files next to it if needed, and returns a function that loads what was written and runs it on
    an array. :func:`export_model` compares the results with those of the network, and only then the files appear. The function
    imports the packages of the extra only when it is called.

    Args:
        name: unique among the targets.
        suffixes: suffixes of its files, the usual one first.
        extra: extra of this package that installs the requirements of the target.
        tiny: whether its programs take images whose height or width is at most the ``size_multiple`` of the network.

    Raises:
        ValueError: if the name is taken.
    """
    return _exporters.register(name, lambda write: Exporter(name, tuple(suffixes), extra, write, tiny))


def list_exporters() -> list[str]:
    """Return the names of all targets."""
    return list(_exporters)


def find_exporter(name: str) -> Exporter:
    """Return a target.

    Raises:
        ValueError: if there is no such target; the message suggests the nearest names.

    Example:
        >>> find_exporter("torch").suffixes
        ('.pt2',)
    """
    return _exporters.get(name)


def check_target(output: Path, to: str) -> Exporter:
    """Return a target, if a file for it can have this path.

    Raises:
        ValueError: if there is no such target.
        OptionError: if the path does not have a suffix of the target.
        OSError: if there is no folder to write to, or the path is a folder.
    """
    exporter = find_exporter(to)
    if output.suffix not in exporter.suffixes:
        raise OptionError("output", f"must end in {' or '.join(exporter.suffixes)} for the target {to!r}; got {output}")
    if output.is_dir():
        raise IsADirectoryError(f"{output} is a folder; give the name of a file")
    if not output.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {output.parent} to write {output.name} to; create it first")
    return exporter


def export_model(
    model: RestorationNetwork,
    output: Path,
    to: str = "onnx",
    *,
    precision: Precision = "float32",
    uint8: bool = False,
    clamp: bool = False,
    stages: int | None = None,
) -> Exported:
    """Write a network to a file that another program can run, for images of any size.

    Padding to the sizes that the network takes, and cropping, are part of the file. Before the file appears, it is run at several
    odd sizes and compared with the network.

    Args:
        model: the network; it is not changed.
        output: file to write; an existing file is replaced once the new one is complete and checked.
        to: one of :func:`list_exporters`.
        precision: ``"float32"``, or ``"float16"`` for weights and features of half the size; images stay in float32.
        uint8: whether the program takes and returns 8-bit pixels from 0 to 255.
        clamp: whether the result is clamped to [0, 1]; 8-bit pixels always are.
        stages: how many supervised stages the file contains; by default all.

    Returns:
        The files, and how they were checked, with the largest difference.

    Raises:
        ValueError: if there is no such target.
        OptionError: if the file does not have a suffix of the target, the packages of its extra are missing, or an option does not
            fit the network.
        ExportError: if the target cannot express the network, or the file does not compute the same as the network.
        OSError: if the file cannot be written.
    """
    exporter, model = check_target(output, to), network_in(model)
    if precision not in ("float32", "float16"):
        raise OptionError("precision", f"must be float32 or float16; got {precision!r}")
    if uint8 and model.conditions:
        names = ", ".join(condition.name for condition in model.conditions)
        raise OptionError("uint8", f"must not be given for this network: its conditions ({names}) are not 8-bit numbers")
    model.check_stages(stages)
    network = copy.deepcopy(model).cpu().float().eval().requires_grad_(False)
    program = Program(copy.deepcopy(network), precision=precision, uint8=uint8, clamp=clamp, stages=stages).eval()
    with _appearing(output) as (temporary, files):
        try:
            run = exporter.write(program, temporary)
        except ModuleNotFoundError as error:
            if not exporter.extra:
                raise
            raise OptionError("to", f"{to} needs {error.name}: pip install 'restorekit[{exporter.extra}]'") from error
        check = checked(network, program, lambda image: np.asarray(run(image)), tiny=exporter.tiny)
        if not check.passed:
            raise ExportError(
                f"{output} was not written: at {check.worst}, the program differs from the network by "
                f"{check.difference:.2g}, more than {check.bound:.2g}; please report this, and try another target, or float32"
            )
    return Exported(tuple(files), check)


@contextmanager
def _appearing(path: Path) -> Iterator[tuple[Path, list[Path]]]:
    """Yield a path of the same name in a folder next to it, and a list; move what was written there next to the path at the end.

    The list then has the paths of all files, those that the file needs first.
    """
    files: list[Path] = []
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem[:100]}.", suffix=PART) as folder:
        yield Path(folder) / path.name, files
        for file in sorted(Path(folder).iterdir(), key=lambda file: file.name == path.name):  # the file itself last
            files.append(Path(shutil.move(file, path.parent / file.name)))
