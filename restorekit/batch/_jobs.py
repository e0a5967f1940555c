"""Which input file is restored to which output file."""

import glob
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from restorekit._files import is_temporary, make_folder
from restorekit.batch._compare import comparison_path, is_comparison
from restorekit.batch.video import VIDEO_SUFFIXES
from restorekit.errors import ImageError, OptionError
from restorekit.images import FORMATS, check_can_hold, find_images, is_image, output_suffix

RESTORED = ".restored"  # inserted before the suffix when the user names no output


@dataclass(frozen=True)
class Job:
    """One file to restore into another.

    Attributes:
        source: the input.
        target: the output.
        done: whether the output exists already and must be kept.
    """

    source: Path
    target: Path
    done: bool = False

    @property
    def is_video(self) -> bool:
        """Whether the input is a video."""
        return self.source.suffix.lower() in VIDEO_SUFFIXES


Problem = tuple[Path, str]  # an input, and why it cannot be restored


@dataclass(frozen=True)
class _Naming:
    """How outputs are named.

    Attributes:
        added: text before the suffix; None for the default.
        ending: suffix of pictures; None for that of the input.
    """

    added: str | None = None
    ending: str | None = None

    def beside(self, path: Path) -> Path:
        """Return the output next to an input."""
        return self._of(path, RESTORED if self.added is None else self.added)

    def inside(self, folder: Path, path: Path) -> Path:
        """Return the output in a folder; ``path`` is relative to it."""
        return folder / self._of(path, self.added or "")

    def folder_beside(self, path: Path) -> Path:
        """Return the folder of outputs next to a folder of inputs."""
        named = path.resolve() if path.name in ("", "..") else path
        return named.with_name(named.name + (RESTORED if self.added is None else self.added))

    def _of(self, path: Path, added: str) -> Path:
        ending = None if path.suffix.lower() in VIDEO_SUFFIXES else self.ending
        return path.with_name(f"{path.stem}{added}{ending or output_suffix(path)}")


def plan_jobs(
    inputs: Sequence[str | os.PathLike[str]],
    output: Path | None,
    *,
    overwrite: bool = False,
    compare: bool = False,
    format: str | None = None,
    suffix: str | None = None,
) -> tuple[list[Job], list[Problem]]:
    """Return which file is restored to which, and the inputs that cannot be restored.

    Folders and patterns keep their structure below the output. With several files, those whose output exists count as done, so
    an interrupted call can be resumed; with a single file, an existing output is an error.

    Args:
        inputs: files, folders, and patterns with ``*``, ``?``, ``[...]`` and ``**`` for any depth.
        output: a file for one input, whose suffix chooses the format, or a folder. By default, results are written next to the
            inputs: ``photo.restored.jpg``, and ``photos.restored/`` for a folder.
        overwrite: whether existing outputs are replaced.
        compare: whether comparisons are written next to the outputs. An existing file of such a name must be a comparison, unless
            ``overwrite`` is set.
        format: format of the pictures, such as ``"webp"``; by default that of each input. Videos keep theirs.
        suffix: text that is added to the names of outputs: of files or, if a folder is restored without ``output``, of the folder
            of outputs. The default is ``.restored`` without ``output``, and nothing with it.

    Raises:
        OptionError: if these do not fit together, for example one output file for several inputs.
    """
    paths = [Path(given) for given in inputs]
    problems: list[Problem] = []
    naming = _Naming(_checked_suffix(suffix), suffix_of_format(format) if format is not None else None)
    single = len(paths) == 1 and not os.path.isdir(paths[0]) and not _is_pattern(paths[0])  # noqa: PTH112  # see _is_pattern
    if single and output is not None and output.suffix and not output.is_dir():
        if output.suffix.lower() not in (*FORMATS, *VIDEO_SUFFIXES):
            known = ", ".join(suffix for suffix, record in FORMATS.items() if record.modes)
            return [], [(output, f"unknown image format {output.suffix!r}; use one of {known}, or an existing folder")]
        _check_names(output, naming)
        pairs = [(paths[0], output)]
    else:
        if output is not None:
            _check_folder(output)
        pairs = _pairs(paths, output, naming, problems)
    jobs, refused = _checked(_without_results(pairs), overwrite, single)
    if compare and not overwrite:
        refused += [(job.source, _in_the_way(job)) for job in jobs if _in_the_way(job)]
        jobs = [job for job in jobs if not _in_the_way(job)]
    return jobs, problems + refused


def suffix_of_format(format: str) -> str:
    """Return the suffix of a format by its name: ``".webp"`` for ``"webp"``.

    Raises:
        OptionError: if no such files can be written.
    """
    suffix = f".{format.lower().removeprefix('.')}"
    if suffix not in FORMATS or not FORMATS[suffix].modes:
        known = [suffix.removeprefix(".") for suffix, record in FORMATS.items() if record.modes]
        raise OptionError("format", f"must be one of {', '.join(known)}; got {format!r}")
    return suffix


def left_out(
    inputs: Sequence[str | os.PathLike[str]], output: Path | None = None, *, format: str | None = None, suffix: str | None = None
) -> str:
    """Return one line about the files in folders that are of another kind and are left out, or "".

    Args:
        inputs: as :func:`plan_jobs` takes them.
        output: the folder of the results, which may be among the inputs.
        format: as :func:`plan_jobs` takes it: files that can only be read are restored if it is named.
        suffix: as :func:`plan_jobs` takes it.
    """
    kinds: Counter[str] = Counter()
    readable = False
    for folder in [Path(given) for given in inputs if os.path.isdir(given)]:  # noqa: PTH112  # see _is_pattern
        for path in _outside(folder.rglob("*"), folder, output or _Naming(suffix).folder_beside(folder)):
            hidden = path.name.startswith(".") or is_temporary(path)
            if path.is_file() and not hidden and not is_image(path, only_read=format is not None):
                kinds[path.suffix.lower() or "without a suffix"] += 1
                readable |= is_image(path, only_read=True)
    if not kinds:
        return ""
    total = kinds.total()
    listed = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items(), key=lambda item: (-item[1], item[0])))
    hint = "; --format png restores those that can be read, too" if readable else ""
    return f"{total} {'file' if total == 1 else 'files'} of other kinds {'was' if total == 1 else 'were'} left out: {listed}{hint}"


def check_output(job: Job, mode: str, info: Mapping[str, Any], *, several: str = "") -> None:
    """Check that the output can be written, and make its folder, before any work is done.

    Args:
        job: which file becomes which.
        mode: kind of the pixels.
        info: metadata.
        several: ``"pages"`` or ``"frames"`` for a file with several.

    Raises:
        ImageError: if the format cannot store the picture.
        OSError: if the folder cannot be made or written to.
    """
    check_can_hold(job.target, mode, info, several=several)
    make_folder(job.target.parent)
    if not os.access(job.target.parent, os.W_OK):
        raise PermissionError(f"no permission to write in {job.target.parent}")


def shard(jobs: Sequence[Job], part: int, parts: int) -> list[Job]:
    """Return the jobs of one machine out of many: every job belongs to exactly one part.

    Args:
        jobs: all jobs, in the same order on all machines.
        part: number of the part, from 1.
        parts: number of parts.

    Raises:
        ValueError: if there is no such part.
    """
    if not 1 <= part <= parts:
        raise ValueError(f"a shard is i/n with i from 1 to n, such as 1/4; got {part}/{parts}")
    return list(jobs[part - 1 :: parts])


def _checked_suffix(suffix: str | None) -> str | None:
    if suffix is not None and ("/" in suffix or os.sep in suffix or "\0" in suffix):
        raise OptionError("suffix", f"must be text that names can end with, such as _restored; got {suffix!r}")
    return suffix


def _check_names(output: Path, naming: _Naming) -> None:
    """Raise an error if one output file is named in two ways."""
    if naming.added is not None:
        raise OptionError("suffix", f"names the outputs of inputs; the output is already named {output}: leave out one of the two")
    if naming.ending is not None and FORMATS.get(output.suffix.lower()) is not FORMATS[naming.ending]:
        raise OptionError("format", f"is {naming.ending.removeprefix('.')}, but the output is {output}: leave out one of the two")


def _check_folder(output: Path) -> None:
    """Raise an error if the folder of outputs is a file, or named like one."""
    if output.is_dir():
        return
    if output.exists() or output.suffix.lower() in (*FORMATS, *VIDEO_SUFFIXES):
        what = "is a file" if output.exists() else "is the name of one file"
        raise OptionError("output", f"must be a folder for several inputs; {output} {what}. An existing folder may have any name")


def _pairs(paths: list[Path], output: Path | None, naming: _Naming, problems: list[Problem]) -> list[tuple[Path, Path]]:
    pairs: list[tuple[Path, Path]] = []
    for path in paths:
        if os.path.isdir(path):  # noqa: PTH112  # see _is_pattern
            found = _found(path, problems, only_read=naming.ending is not None)
            if output:
                pairs += [(file, naming.inside(output, file.relative_to(path))) for file in _outside(found, path, output)]
            else:
                folder = naming.folder_beside(path)
                named = replace(naming, added="")
                pairs += [(file, named.inside(folder, file.relative_to(path))) for file in _outside(found, path, folder)]
        elif _is_pattern(path):
            root = _fixed_part(path)
            matching = sorted(file for file in root.glob(str(path.relative_to(root))) if not is_temporary(file))
            found = [file for file in matching if file.is_file() and _matters(file, path, naming)]
            if not found:
                problems.append((path, f"no image matches {path}"))
            pairs += [(file, naming.inside(output, file.relative_to(root)) if output else naming.beside(file)) for file in found]
        else:
            pairs.append((path, naming.inside(output, Path(path.name)) if output else naming.beside(path)))
    return pairs


def _matters(file: Path, pattern: Path, naming: _Naming) -> bool:
    """Return whether a file that matches a pattern can be restored; files of formats that are only read must be asked for."""
    asked_for = naming.ending is not None or pattern.suffix.lower() == file.suffix.lower()
    return is_image(file, only_read=asked_for) or file.suffix.lower() in VIDEO_SUFFIXES


def _outside(files: Iterable[Path], folder: Path, results: Path) -> list[Path]:
    """Return the files below a folder, without those in the folder of results, which may be inside it after an earlier call."""
    inside = _absolute(folder) in _absolute(results).parents
    return [file for file in files if not (inside and _absolute(results) in _absolute(file).parents)]


def _without_results(pairs: list[tuple[Path, Path]]) -> list[tuple[Path, Path]]:
    """Return each pair once, without inputs that are the output of another one: ``*.jpg`` also finds earlier results."""
    targets = {_absolute(path) for _, target in pairs for path in (target, comparison_path(target))}
    return [
        (source, target)
        for source, target in dict.fromkeys(pairs)
        if _absolute(source) not in targets or _absolute(source) == _absolute(target)
    ]


def _found(folder: Path, problems: list[Problem], *, only_read: bool) -> list[Path]:
    """Return the images below a folder; folders in it that cannot be read are problems, since they may contain images."""
    before = len(problems)
    for _ in os.walk(folder, onerror=lambda error: problems.append((Path(error.filename), f"cannot be read: {error.strerror}"))):
        pass
    try:
        return [path for path in find_images(folder, only_read=only_read) if not path.is_dir()]
    except ImageError as error:
        if len(problems) == before:
            problems.append((folder, str(error)))
        return []


def _checked(pairs: list[tuple[Path, Path]], overwrite: bool, single: bool) -> tuple[list[Job], list[Problem]]:
    """Return the jobs, and those that must not run: two inputs with one output, or an output that must be kept."""
    jobs: list[Job] = []
    problems: list[Problem] = []
    first: dict[Path, Path] = {}
    for source, target in pairs:
        owner = first.setdefault(_absolute(target), source)
        try:
            exists = _exists(target) and not overwrite
        except OSError as error:  # the name is too long, or its folder is private
            problems.append((source, f"its output cannot be {target.name}: {error.strerror}; choose another with --output"))
            continue
        if owner is not source:
            problems.append((source, f"{target} is also the output of {owner}; use another folder, or rename one"))
        elif exists and source.exists() and target.samefile(source):
            problems.append((source, "the output is the input itself; choose another output, or pass --overwrite"))
        elif exists and single:
            problems.append((source, f"{target} exists; choose another output, or pass --overwrite"))
        else:
            jobs.append(Job(source, target, exists))
    return jobs, problems


def _exists(path: Path) -> bool:
    """Return whether a file exists; ``Path.exists`` raises for some errors, depending on the version of Python."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _in_the_way(job: Job) -> str:
    """Return why a comparison cannot be written, if another file already has its name."""
    path = comparison_path(job.target)
    if job.done or not os.path.lexists(path) or is_comparison(path):
        return ""
    return f"{path} exists and was not written by --compare; move it, choose another output, or pass --overwrite"


def _absolute(path: Path) -> Path:
    return Path(os.path.realpath(path.parent)) / path.name  # Path.resolve raises for links in a circle


def _is_pattern(path: Path) -> bool:
    # os.path, since Path.exists and Path.is_dir raise for names that are too long and in private folders
    return glob.has_magic(str(path)) and not os.path.lexists(path)


def _fixed_part(pattern: Path) -> Path:
    """Return the folder of a pattern that contains everything that can match."""
    parts = pattern.parts
    magic = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    return Path(*parts[:magic])
