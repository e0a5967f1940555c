"""Which input file is restored to which output file."""

import glob
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from restorekit._files import is_temporary, make_folder
from restorekit.batch._compare import comparison_path, is_comparison
from restorekit.batch.video import VIDEO_SUFFIXES
from restorekit.errors import ImageError
from restorekit.images import FORMATS, check_can_hold, find_images, is_image

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


def plan_jobs(
    inputs: Sequence[str | os.PathLike[str]], output: Path | None, *, overwrite: bool = False, compare: bool = False
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
    """
    paths = [Path(given) for given in inputs]
    problems: list[Problem] = []
    single = len(paths) == 1 and not paths[0].is_dir() and not _is_pattern(paths[0])
    if single and output is not None and output.suffix and not output.is_dir():
        if output.suffix.lower() not in (*FORMATS, *VIDEO_SUFFIXES):
            known = ", ".join(suffix for suffix, record in FORMATS.items() if record.modes)
            return [], [(output, f"unknown image format {output.suffix!r}; use one of {known}, or an existing folder")]
        pairs = [(paths[0], output)]
    else:
        pairs = _pairs(paths, output, problems)
    jobs, refused = _checked(_without_results(pairs), overwrite, single)
    if compare and not overwrite:
        refused += [(job.source, _in_the_way(job)) for job in jobs if _in_the_way(job)]
        jobs = [job for job in jobs if not _in_the_way(job)]
    return jobs, problems + refused


def left_out(inputs: Sequence[str | os.PathLike[str]], output: Path | None = None) -> str:
    """Return one line about the files in folders that are of another kind and are left out, or "".

    Args:
        inputs: as :func:`plan_jobs` takes them.
        output: the folder of the results, which may be among the inputs.
    """
    kinds: Counter[str] = Counter()
    for folder in [Path(given) for given in inputs if Path(given).is_dir()]:
        kinds.update(
            path.suffix.lower() or "without a suffix"
            for path in _outside(folder.rglob("*"), folder, output or _folder_beside(folder))
            if path.is_file() and not is_image(path) and not path.name.startswith(".") and not is_temporary(path)
        )
    if not kinds:
        return ""
    total = kinds.total()
    listed = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items(), key=lambda item: (-item[1], item[0])))
    return f"{total} {'file' if total == 1 else 'files'} of other kinds {'was' if total == 1 else 'were'} left out: {listed}"


def check_output(job: Job, mode: str, info: Mapping[str, Any]) -> None:
    """Check that the output can be written, and make its folder, before any work is done.

    Args:
        job: which file becomes which.
        mode: kind of the pixels.
        info: metadata.

    Raises:
        ImageError: if the format cannot store the picture.
        OSError: if the folder cannot be made or written to.
    """
    check_can_hold(job.target, mode, info)
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


def _pairs(paths: list[Path], output: Path | None, problems: list[Problem]) -> list[tuple[Path, Path]]:
    pairs: list[tuple[Path, Path]] = []
    for path in paths:
        if path.is_dir():
            found = _found(path, problems)
            folder = output or _folder_beside(path)
            pairs += [(file, folder / file.relative_to(path)) for file in _outside(found, path, folder)]
        elif _is_pattern(path):
            root = _fixed_part(path)
            matching = sorted(file for file in root.glob(str(path.relative_to(root))) if not is_temporary(file))
            found = [file for file in matching if file.is_file() and (is_image(file) or file.suffix.lower() in VIDEO_SUFFIXES)]
            if not found:
                problems.append((path, f"no image matches {path}"))
            pairs += [(file, output / file.relative_to(root) if output else _beside(file)) for file in found]
        else:
            pairs.append((path, output / path.name if output else _beside(path)))
    return pairs


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


def _found(folder: Path, problems: list[Problem]) -> list[Path]:
    try:
        return find_images(folder)
    except ImageError as error:
        problems.append((folder, str(error)))
        return []


def _checked(pairs: list[tuple[Path, Path]], overwrite: bool, single: bool) -> tuple[list[Job], list[Problem]]:
    """Return the jobs, and those that must not run: two inputs with one output, or an output that must be kept."""
    jobs: list[Job] = []
    problems: list[Problem] = []
    first: dict[Path, Path] = {}
    for source, target in pairs:
        owner = first.setdefault(_absolute(target), source)
        exists = target.exists() and not overwrite
        if owner is not source:
            problems.append((source, f"{target} is also the output of {owner}; use another folder, or rename one"))
        elif exists and source.exists() and target.samefile(source):
            problems.append((source, "the output is the input itself; choose another output, or pass --overwrite"))
        elif exists and single:
            problems.append((source, f"{target} exists; choose another output, or pass --overwrite"))
        else:
            jobs.append(Job(source, target, exists))
    return jobs, problems


def _in_the_way(job: Job) -> str:
    """Return why a comparison cannot be written, if another file already has its name."""
    path = comparison_path(job.target)
    if job.done or not os.path.lexists(path) or is_comparison(path):
        return ""
    return f"{path} exists and was not written by --compare; move it, choose another output, or pass --overwrite"


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.stem}{RESTORED}{path.suffix}")


def _folder_beside(path: Path) -> Path:
    named = path.resolve() if path.name in ("", "..") else path
    return named.with_name(named.name + RESTORED)


def _absolute(path: Path) -> Path:
    return path.parent.resolve() / path.name


def _is_pattern(path: Path) -> bool:
    return glob.has_magic(str(path)) and not path.exists()


def _fixed_part(pattern: Path) -> Path:
    """Return the folder of a pattern that contains everything that can match."""
    parts = pattern.parts
    magic = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    return Path(*parts[:magic])
