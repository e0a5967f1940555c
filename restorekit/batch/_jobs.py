"""Which file becomes which."""

import glob
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from restorekit._files import make_folder
from restorekit.batch._compare import comparison_path, is_comparison
from restorekit.batch._video import VIDEO_SUFFIXES
from restorekit.errors import ImageError
from restorekit.images import FORMATS, check_can_hold, find_images, is_image

RESTORED = ".restored"  # goes before the suffix of an output that is not named


@dataclass(frozen=True)
class Job:
    """One file to restore into another.

    Attributes:
        source: the input.
        target: the output.
        done: whether the output is there already, and is to be left so.
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
    """Return which file becomes which, and what cannot be.

    Folders and patterns keep their structure below the output. Of several files, those whose output exists are done, which is how
    an interrupted call is resumed; for a single one that is an error.

    Args:
        inputs: files, folders, and patterns with ``*``, ``?``, ``[...]`` and ``**`` for any depth.
        output: a file for one input, whose suffix is the format, or a folder. By default results are beside their inputs:
            ``photo.restored.jpg``, and ``photos.restored/`` for a folder.
        overwrite: whether outputs that exist are replaced.
        compare: whether comparisons are written beside outputs; a file of such a name must be one, unless ``overwrite``.
    """
    paths = [Path(given) for given in inputs]
    problems: list[Problem] = []
    single = len(paths) == 1 and not paths[0].is_dir() and not _is_pattern(paths[0])
    if single and output is not None and output.suffix and not output.is_dir():
        if output.suffix.lower() not in (*FORMATS, *VIDEO_SUFFIXES):
            known = ", ".join(suffix for suffix, record in FORMATS.items() if record.modes)
            return [], [(output, f"unknown image format {output.suffix!r}; use one of {known}, or a folder that exists")]
        pairs = [(paths[0], output)]
    else:
        pairs = _pairs(paths, output, problems)
    jobs, refused = _checked(_without_results(pairs), overwrite, single)
    if compare and not overwrite:
        refused += [(job.source, _in_the_way(job)) for job in jobs if _in_the_way(job)]
        jobs = [job for job in jobs if not _in_the_way(job)]
    return jobs, problems + refused


def left_out(inputs: Sequence[str | os.PathLike[str]], output: Path | None = None) -> str:
    """Return one line about files in folders that are of other kinds than those which are restored there, or "".

    Args:
        inputs: as :func:`plan_jobs` takes them.
        output: the folder of the results, which may be among the inputs.
    """
    kinds: Counter[str] = Counter()
    for folder in [Path(given) for given in inputs if Path(given).is_dir()]:
        kinds.update(
            path.suffix.lower() or "without a suffix"
            for path in _outside(folder.rglob("*"), folder, output or _folder_beside(folder))
            if path.is_file() and not is_image(path) and not path.name.startswith(".")
        )
    if not kinds:
        return ""
    total = kinds.total()
    listed = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items(), key=lambda item: (-item[1], item[0])))
    return f"{total} {'file' if total == 1 else 'files'} of other kinds {'was' if total == 1 else 'were'} left out: {listed}"


def check_output(job: Job, mode: str, info: Mapping[str, Any]) -> None:
    """Raise what would be raised when the output is written, and make its folder, before the work.

    Args:
        job: which file becomes which.
        mode: of the pixels.
        info: metadata.

    Raises:
        ImageError: if the format cannot hold the picture.
        OSError: if the folder cannot be made or written to.
    """
    check_can_hold(job.target, mode, info)
    make_folder(job.target.parent)
    if not os.access(job.target.parent, os.W_OK):
        raise PermissionError(f"no permission to write in {job.target.parent}")


def shard(jobs: Sequence[Job], part: int, parts: int) -> list[Job]:
    """Return the jobs of one machine of many: every job is in exactly one part.

    Args:
        jobs: all, in the same order on all machines.
        part: which, from 1.
        parts: of how many.

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
            matching = sorted(root.glob(str(path.relative_to(root))))
            found = [file for file in matching if file.is_file() and (is_image(file) or file.suffix.lower() in VIDEO_SUFFIXES)]
            if not found:
                problems.append((path, f"no image matches {path}"))
            pairs += [(file, output / file.relative_to(root) if output else _beside(file)) for file in found]
        else:
            pairs.append((path, output / path.name if output else _beside(path)))
    return pairs


def _outside(files: Iterable[Path], folder: Path, results: Path) -> list[Path]:
    """Return the files below a folder without those in the folder of results, which may be inside, from an earlier call."""
    inside = _absolute(folder) in _absolute(results).parents
    return [file for file in files if not (inside and _absolute(results) in _absolute(file).parents)]


def _without_results(pairs: list[tuple[Path, Path]]) -> list[tuple[Path, Path]]:
    """Return each pair once, without those whose input is the output of another, as ``*.jpg`` finds what an earlier call wrote."""
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
    """Return the jobs, and those that must not run: two inputs of one output, an output that must be kept."""
    jobs: list[Job] = []
    problems: list[Problem] = []
    first: dict[Path, Path] = {}
    for source, target in pairs:
        owner = first.setdefault(_absolute(target), source)
        exists = target.exists() and not overwrite
        if owner is not source:
            problems.append((source, f"{target} is the output of {owner} too; use another folder, or rename one"))
        elif exists and source.exists() and target.samefile(source):
            problems.append((source, "output is the input itself; choose another output, or pass --overwrite"))
        elif exists and single:
            problems.append((source, f"{target} exists; choose another output, or pass --overwrite"))
        else:
            jobs.append(Job(source, target, exists))
    return jobs, problems


def _in_the_way(job: Job) -> str:
    """Return why a comparison cannot be written, if a file of its name is something else."""
    path = comparison_path(job.target)
    if job.done or job.is_video or not os.path.lexists(path) or is_comparison(path):
        return ""
    return f"{path} exists and is not a comparison that --compare wrote; move it, choose another output, or pass --overwrite"


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
    """Return the folder of a pattern that holds all that can match."""
    parts = pattern.parts
    magic = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    return Path(*parts[:magic])
