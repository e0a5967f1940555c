"""Restoring a picture row by row, from file to file, so that memory does not grow with its size."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from restorekit.batch._details import details_of
from restorekit.batch._jobs import Job, check_output
from restorekit.images import RowReader, can_be_read_by_rows, can_be_written_by_rows, rows_written
from restorekit.inference import Progress, Restorer

LARGE = 2**24  # pixels, larger pictures go row by row; smaller ones fit in 200 MB


def can_go_by_rows(job: Job, restorer: Restorer) -> bool:
    """Return whether a picture can be restored row by row: from and to PNG, JPEG or TIFF, with the extra ``io`` installed.

    Raises:
        ImageError: if the input is not an image.
    """
    return restorer.options.alpha == "keep" and can_be_written_by_rows(job.target) and can_be_read_by_rows(job.source)


def restore_by_rows(
    restorer: Restorer, job: Job, *, quality: int | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Restore a picture row by row, writing while the network runs; the file is written whole or not at all.

    Args:
        restorer: the network and its options.
        job: which file is restored to which, one that :func:`can_go_by_rows`.
        quality: of a JPEG file, as in :func:`~restorekit.images.write_picture`.
        progress: is told about each step.

    Returns:
        Size, bits, seconds, and how the network ran, as plain data.

    Raises:
        ImageError: if the input is damaged, or the output cannot be written.
    """
    started = time.perf_counter()
    seconds = {"read": 0.0, "network": 0.0, "write": 0.0}
    reader = RowReader(job.source)
    check_output(job, reader.mode, reader.info)
    height, width, channels = restorer.restored_shape(*reader.shape)
    read = _timed(reader.read, seconds, "read")
    with rows_written(job.target, (height, width, channels), reader.dtype, reader.info, quality=quality) as write_rows:
        write = _timed(write_rows, seconds, "write")
        with ThreadPoolExecutor(1) as writer:
            writing: Future[None] | None = None
            for rows in restorer.by_rows(reader.shape, reader.dtype, read, progress=progress or Progress()):
                if writing:
                    writing.result()
                writing = writer.submit(write, rows)
            if writing:
                writing.result()
        restored = time.perf_counter() - started
    seconds["network"] = restored - seconds["read"]
    seconds["write"] += time.perf_counter() - started - restored
    network = {**restorer.describe(reader.dtype), "batch": 1, "by_rows": True}
    return details_of((height, width, channels), reader.dtype, reader.mode, seconds, network)


def _timed(function: Callable[..., Any], seconds: dict[str, float], step: str) -> Callable[..., Any]:
    """Return a function that also adds up how long its calls take."""

    def timed(*arguments: Any) -> Any:
        started = time.perf_counter()
        try:
            return function(*arguments)
        finally:
            seconds[step] += time.perf_counter() - started

    return timed
