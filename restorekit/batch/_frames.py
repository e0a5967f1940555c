"""Restoring a file with several pages or frames, one after the other, so that only one is in memory."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from restorekit.batch._compare import comparison, comparison_path
from restorekit.batch._details import details_of
from restorekit.batch._jobs import Job, check_output
from restorekit.batch._stack import restored_stack
from restorekit.images import Picture, frames_written, look_at, read_frames, write_picture
from restorekit.inference import Progress, Restorer


def restore_frames(
    restorer: Restorer, job: Job, *, quality: int | None = None, compare: bool = False, progress: Progress | None = None
) -> dict[str, Any]:
    """Restore a multi-page file or an animation; it is written as what it was, whole or not at all.

    Args:
        restorer: the network and its options.
        job: which file is restored to which.
        quality: as in :func:`~restorekit.images.write_picture`.
        compare: whether to write a before-and-after picture of the first page or frame next to the output.
        progress: is told about the plan for the first page or frame, and when each is done.

    Returns:
        Size and bits of the first, the number of frames, seconds, and how the network ran, as plain data.

    Raises:
        ImageError: if the input is damaged, or the output cannot store the pages or frames.
    """
    started = time.perf_counter()
    seconds = {"network": 0.0}
    progress = progress or Progress()
    look = look_at(job.source)
    sheets: list[Picture] = []
    first: list[Picture] = []

    def restored() -> Iterator[Picture]:
        for number, picture in enumerate(read_frames(job.source), 1):
            check_output(job, picture.mode, picture.info, several=look.several)
            begun = time.perf_counter()
            told = Progress(planned=progress.planned) if number == 1 else Progress()
            pixels = restored_stack(restorer, np.atleast_3d(picture.pixels)[None], told)[0]
            pixels = pixels[..., 0] if picture.pixels.ndim == 2 and pixels.shape[-1] == 1 else pixels
            after = replace(picture, pixels=pixels)
            seconds["network"] += time.perf_counter() - begun
            if not first:
                first.append(after)
                if compare:
                    sheets.append(comparison(picture, after, f"first of {look.frames} {look.several}"))
            progress.frame_done(number, look.frames)
            yield after

    with frames_written(restored(), job.target, count=look.frames, quality=quality):
        for sheet in sheets:
            write_picture(sheet, comparison_path(job.target))
    pixels = first[0].pixels
    seconds["other"] = time.perf_counter() - started - seconds["network"]
    network = {**restorer.describe(pixels.dtype), "batch": 1, "by_rows": False}
    return {look.several: look.frames} | details_of(pixels.shape, pixels.dtype, first[0].mode, seconds, network)
