"""The finished parts of a video, which stay on disk when the work is interrupted, so that the next call resumes there."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from restorekit._files import PART, make_folder, write_json
from restorekit.batch.video._ffmpeg import FfmpegError

JOB, LOCK = "job.json", "lock"
LENGTH = 100  # frames of a part: what an interruption loses at most, and the distance of key frames; the last part has up to twice


def bounds_of(frames: int) -> list[int]:
    """Return the numbers of the first frame of each part, and the number of frames.

    The last part takes the rest, because encoders reorder frames otherwise in a part of very few.
    """
    return [*range(0, max(1, frames // LENGTH) * LENGTH, LENGTH), frames]


def parts_folder(target: Path) -> Path:
    """Return the hidden folder of the parts of an output: next to it, since they are as large."""
    return target.with_name(f".{target.name}{PART}s")


@contextmanager
def parts_of(target: Path, job: Mapping[str, Any]) -> Iterator[Path]:
    """Yield the folder of the parts of an output. It is removed after success, and when it has no part of any use.

    Args:
        target: the output.
        job: all that the parts depend on. Parts that were made for another job are removed.

    Raises:
        FfmpegError: if another process is restoring to this output.
        OSError: if the folder cannot be made.
    """
    folder = parts_folder(target)
    if folder.exists() and not (folder / JOB).is_file() and any(path.name != LOCK for path in folder.iterdir()):
        raise FfmpegError(f"{folder} exists, and is not from an interrupted call; move it")
    make_folder(folder)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise FfmpegError(f"another process is restoring to {target}; wait for it, or choose another output") from error
    try:
        _start(folder, job)
        yield folder
        shutil.rmtree(folder)
    finally:
        lock.release()
        if folder.exists() and not any(path.suffix in (".mp4", ".mov") for path in folder.iterdir()):
            shutil.rmtree(folder, ignore_errors=True)


def _start(folder: Path, job: Mapping[str, Any]) -> None:
    """Remove what a killed process was writing and, if the folder belongs to another job, its parts."""
    wanted = json.loads(json.dumps(job))
    same = (folder / JOB).is_file() and json.loads((folder / JOB).read_text()) == wanted
    for path in folder.iterdir():
        if path.name != LOCK and (not same or PART in path.name):
            path.unlink()
    if not same:
        write_json(folder / JOB, wanted)
