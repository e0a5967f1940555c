"""What the window does with pictures; it is what ``restorekit restore`` does, file by file."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event

from restorekit.batch import Job, Outcome, plan_jobs, restore_files
from restorekit.inference import Progress, Restorer

Told = Callable[[float, str], None]
"""Takes the share of all work that is done, and what is being done."""


class CancelledError(Exception):
    """The work was cancelled; files that are complete stay."""


def restore_pictures(
    restorer: Restorer, pictures: Sequence[Path], folder: Path, *, cancelled: Event | None = None, told: Told | None = None
) -> Iterator[Outcome]:
    """Restore picture files into a folder, and yield the outcome of each. A file that cannot be restored does not stop the others.

    Args:
        restorer: the network and its options.
        pictures: the files.
        folder: folder of the results, which have the names of the inputs.
        cancelled: ends the work once it is set, within a tile.
        told: is told about the progress.

    Raises:
        CancelledError: if ``cancelled`` was set.
        OptionError: if the files cannot be planned together.
    """
    jobs, problems = plan_jobs(pictures, folder, overwrite=True)
    for path, problem in problems:
        yield Outcome(Job(path, folder / path.name), error=problem)
    for i, job in enumerate(jobs):
        if job.is_video:
            yield Outcome(job, error="is a video; use restorekit restore in a shell")
            continue
        outcomes: list[Outcome] = []
        restore_files(restorer, [job], outcomes.append, progress=_progress(i, len(jobs), cancelled or Event(), told))
        if cancelled is not None and cancelled.is_set():
            raise CancelledError
        yield from outcomes


def _progress(done: int, total: int, cancelled: Event, told: Told | None) -> Callable[[Job], Progress]:
    def progress_of(job: Job) -> Progress:
        def tell(part: int, parts: int) -> None:
            if cancelled.is_set():
                raise CancelledError
            if told is not None:
                told((done + part / parts) / total, job.source.name + (f", {part} of {parts}" if parts > 1 else ""))

        return Progress(lambda plan: tell(0, plan.tiling.num_tiles), tell, frame_done=tell)

    return progress_of
