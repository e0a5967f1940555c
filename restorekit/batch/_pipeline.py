"""Restoring many files: they are decoded and encoded while the network runs."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from restorekit._allocator import return_freed_memory
from restorekit._files import remove_leftovers
from restorekit.batch._compare import comparison, comparison_path
from restorekit.batch._details import details_of
from restorekit.batch._frames import restore_frames
from restorekit.batch._jobs import Job, check_output
from restorekit.batch._large import LARGE, can_go_by_rows, restore_by_rows
from restorekit.batch._stack import restored_stack
from restorekit.errors import ImageError
from restorekit.images import FORMATS, Look, Picture, has_libvips, look_at, picture_written, read_picture, write_picture
from restorekit.inference import Progress, Restorer, parse_bytes

Array = npt.NDArray[Any]

PROCESS = 600_000_000  # bytes of a process that has loaded the library
HELD = 3  # copies of the pixels
PIXELS_AHEAD = 2**26  # most pixels decoded but not yet written, unless one picture has more


@dataclass
class Outcome:
    """The outcome of a job.

    Attributes:
        job: the job.
        error: why it failed; empty if it did not.
        details: of a restored file: size, bits, seconds, and how the network ran.
    """

    job: Job
    error: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """``"restored"``, ``"failed"``, or ``"skipped"`` for a file whose output already existed."""
        return "failed" if self.error else "restored" if self.details else "skipped"


Report = Callable[[Outcome], None]
ProgressOf = Callable[[Job], Progress]


@dataclass
class _Piece:
    """A picture on its way from file to file."""

    job: Job
    picture: Picture
    seconds: dict[str, float]  # of each step
    network: dict[str, Any] = field(default_factory=dict)  # how the network ran


def restore_files(
    restorer: Restorer,
    jobs: Sequence[Job],
    report: Report,
    *,
    workers: int = 2,
    batch: int = 1,
    quality: int | None = None,
    compare: bool = False,
    damaged: str = "refuse",
    progress: ProgressOf = lambda job: Progress(),
) -> None:
    """Restore picture files, each whole or not at all. A file that cannot be restored is reported, and the others continue.

    The network runs in this thread; other threads read and write files at the same time. An interruption (``KeyboardInterrupt``)
    is raised again after files that were being written are finished and reported.

    Args:
        restorer: the network and its options.
        jobs: which file is restored to which; jobs that are done are skipped.
        report: is called in this thread with the result of each job.
        workers: how many threads read and write.
        batch: how many pictures of one size go through the network at once. Batches are formed from all jobs, including those that
            are done, so results do not depend on where an earlier call was interrupted.
        quality: of JPEG, WebP and AVIF files, as :func:`~restorekit.images.write_picture` takes it.
        compare: whether to write a before-and-after picture next to each output.
        damaged: ``"refuse"``, or ``"keep"`` to restore what damaged files still have, as :func:`~restorekit.images.read_picture`
            takes it; large pictures are then kept in memory as a whole.
        progress: returns a callback, called in this thread while a picture is restored. For pictures that go through the network
            together, it is called once, with the first.
    """
    if workers < 1 or batch < 1:
        raise ValueError(f"workers and batch must be at least 1; got {workers} and {batch}")
    for job in jobs:
        if job.done:
            report(Outcome(job))
    pending = [job.target for job in jobs if not job.done]
    remove_leftovers([*pending, *map(comparison_path, pending)])
    with ThreadPoolExecutor(workers, "restorekit-files") as pool:
        line = _Line(restorer, pool, report, quality, compare, damaged, progress)
        try:
            for group, look in _groups(jobs, batch):
                pixels = len(group) * max(1, look.width * look.height)
                alone = _alone(group, look, restorer, compare, damaged)
                if alone is not None:
                    while line.pixels:
                        line.advance()
                    line.restore_alone(group, alone)
                    continue
                while line.pixels and (line.pixels + pixels > PIXELS_AHEAD or len(line.reading) > workers):
                    line.advance()
                line.read(group, pixels)
            while line.pixels:
                line.advance()
        finally:  # also after an interruption: files being written are finished, files being read are dropped
            line.finish()


class _Line:
    """The files that are being read, restored and written at a given time."""

    def __init__(
        self,
        restorer: Restorer,
        pool: ThreadPoolExecutor,
        report: Report,
        quality: int | None,
        compare: bool,
        damaged: str,
        progress: ProgressOf,
    ) -> None:
        self.restorer, self.pool, self.report, self.quality, self.compare = restorer, pool, report, quality, compare
        self.damaged, self.progress = damaged, progress
        self.reading: deque[tuple[list[tuple[Job, Future[_Piece]]], int]] = deque()
        self.writing: deque[tuple[list[tuple[Job, Future[dict[str, Any]]]], int]] = deque()
        self.pixels = 0  # of all pictures under way

    def read(self, group: list[Job], pixels: int) -> None:
        """Start reading a group of files."""
        allowed = self.restorer.options.max_memory
        self.reading.append(([(job, self.pool.submit(_read, job, self.damaged, allowed)) for job in group], pixels))
        self.pixels += pixels

    def advance(self) -> None:
        """Restore the next group, or wait for the oldest write if there is nothing to restore."""
        while self.writing and (not self.reading or all(future.done() for _, future in self.writing[0][0])):
            self._finish_writing()
            if not self.reading:
                return
        if not self.reading:
            return
        futures, pixels = self.reading.popleft()
        pieces = []
        for job, future in futures:
            piece = self._result(job, future)
            if piece is not None:
                pieces.append(piece)
        written: list[tuple[Job, Future[dict[str, Any]]]] = []
        self.writing.append((written, pixels))  # before anything else, so that an interruption loses nothing
        for _, alike in groupby(sorted(pieces, key=_kind), key=_kind):
            for piece, restored in self._restored(list(alike)):
                if not piece.job.done:
                    written.append((piece.job, self.pool.submit(_write, piece, restored, self.quality, self.compare)))

    def restore_alone(self, group: list[Job], restore: Callable[..., dict[str, Any]]) -> None:
        """Restore files one after the other, with nothing else being read or written."""
        for job in group:
            if job.done:
                continue
            try:
                details = restore(self.restorer, job, quality=self.quality, progress=self.progress(job))
            except Exception as error:  # a fault in one file must not stop the others
                self._fail(job, error)
            else:
                self.report(Outcome(job, details=details))

    def finish(self) -> None:
        """Drop the files being read, and wait for those being written."""
        for futures, _ in self.reading:
            for _, future in futures:
                future.cancel()
        self.reading.clear()
        while self.writing:
            self._finish_writing()

    def _finish_writing(self) -> None:
        futures, pixels = self.writing.popleft()
        self.pixels -= pixels
        for job, future in futures:
            details = self._result(job, future)
            if details is not None:
                self.report(Outcome(job, details=details))

    def _result(self, job: Job, future: Future[Any]) -> Any:
        """Return the result of a thread, or None after reporting why it failed."""
        try:
            return future.result()
        except Exception as error:  # a fault in one file must not stop the others
            self._fail(job, error)
            return None

    def _fail(self, job: Job, error: Exception) -> None:
        if not job.done:  # a finished job was read only to fill its batch
            self.report(Outcome(job, error=str(error) or type(error).__name__))

    def _restored(self, pieces: list[_Piece]) -> Iterator[tuple[_Piece, Array]]:
        """Yield the restored pictures of one kind, computed together or, if that fails, one by one."""
        started = time.perf_counter()
        try:
            images = [np.atleast_3d(piece.picture.pixels) for piece in pieces]
            pixels = np.stack(images) if len(images) > 1 else images[0][None]  # a single picture may be large: do not copy it
            restored = restored_stack(self.restorer, pixels, self.progress(pieces[0].job))
        except Exception as error:
            if len(pieces) == 1:
                self._fail(pieces[0].job, error)
            else:
                for piece in pieces:
                    yield from self._restored([piece])
            return
        seconds = (time.perf_counter() - started) / len(pieces)
        for piece, result in zip(pieces, restored, strict=True):
            piece.seconds["network"] = seconds
            piece.network = {**self.restorer.describe(pixels.dtype), "batch": len(pieces), "by_rows": False}
            grey = piece.picture.pixels.ndim == 2 and result.shape[-1] == 1
            yield piece, result[..., 0] if grey else result


def _groups(jobs: Sequence[Job], batch: int) -> Iterator[tuple[list[Job], Look]]:
    """Yield the jobs that go through the network together, if any of them is unfinished, with a look at their pictures."""
    waiting: dict[Look, list[Job]] = {}
    for job in jobs:
        if batch == 1 and job.done:
            continue
        kind = _kind_of(job)
        group = waiting.setdefault(kind, [])
        group.append(job)
        if len(group) == batch:
            yield from _wanted(waiting.pop(kind), kind)
    for kind, group in waiting.items():
        yield from _wanted(group, kind)


def _wanted(group: list[Job], look: Look) -> Iterator[tuple[list[Job], Look]]:
    if not all(job.done for job in group):
        yield group, look


def _alone(group: list[Job], look: Look, restorer: Restorer, compare: bool, damaged: str) -> Callable[..., dict[str, Any]] | None:
    """Return how to restore files that are not kept in memory as a whole."""
    if look.several:
        return partial(restore_frames, compare=compare)
    if look.width * look.height < LARGE or not has_libvips() or compare or damaged != "refuse":
        return None
    try:
        return restore_by_rows if all(can_go_by_rows(job, restorer) for job in group) else None
    except (ImageError, OSError):  # reported when the file is read
        return None


def _kind_of(job: Job) -> Look:
    try:
        return look_at(job.source)
    except (ImageError, OSError):  # reported when the file is read
        return Look(0, 0, "")


def _kind(piece: _Piece) -> tuple[Any, ...]:
    return piece.picture.mode, piece.picture.pixels.shape


def _check_memory(job: Job, max_memory: str | int | None) -> None:
    """Raise a ``MemoryError`` before a picture is read that, with its encoder, cannot stay within the allowed memory."""
    record = FORMATS.get(job.target.suffix.lower())
    look = look_at(job.source) if max_memory is not None and record is not None else None
    if look is None or record is None or max_memory is None or look.width * look.height < LARGE:
        return
    size = len(look.mode.removesuffix(";16").replace("I", "L")) * (2 if look.mode.endswith(";16") else 1)
    needed = PROCESS + look.width * look.height * (HELD * size + record.working_bytes)
    if needed > parse_bytes(max_memory):
        raise MemoryError(
            f"{job.source} is read or written as a whole, which takes about {needed / 1e9:.1f} GB, more than --max-memory "
            f"{max_memory}; allow more, or convert it, since PNG, JPEG and TIFF files go row by row with the extra io"
        )


def _read(job: Job, damaged: str, max_memory: str | int | None) -> _Piece:
    """Read a picture, and check here, before the work, that it can be written."""
    started = time.perf_counter()
    if damaged == "refuse":
        _check_memory(job, max_memory)
    picture = read_picture(job.source, damaged=damaged)
    check_output(job, picture.mode, picture.info)
    return _Piece(job, picture, {"read": time.perf_counter() - started})


def _write(piece: _Piece, restored: Array, quality: int | None, compare: bool) -> dict[str, Any]:
    """Write a restored picture after everything else, since its presence means that the job is done."""
    started = time.perf_counter()
    if restored.size >= LARGE:
        return_freed_memory()  # of the network, since encoders of whole pictures need much
    after = Picture(restored, piece.picture.info)
    sheet = comparison(piece.picture, after) if compare else None
    with picture_written(after, piece.job.target, quality=quality):
        if sheet is not None:
            write_picture(sheet, comparison_path(piece.job.target))
    piece.seconds["write"] = time.perf_counter() - started
    told = {name: words for name in ("damage", "note") if (words := getattr(piece.picture, name))}
    return told | details_of(restored.shape, restored.dtype, after.mode, piece.seconds, piece.network)
