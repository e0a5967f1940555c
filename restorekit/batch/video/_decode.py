"""Frames of a video, decoded in advance of their use."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from restorekit.batch.video._ffmpeg import FFMPEG, FfmpegError, Process, url
from restorekit.batch.video._probe import Video

Array = npt.NDArray[Any]

AHEAD = 2  # batches that are read in advance
DEINTERLACE = "bwdif=mode=send_frame:deint=interlaced"  # one frame of each pair of fields; other frames stay


@contextmanager
def decoded(video: Video, bounds: Sequence[int], first: int, batch: int) -> Iterator[Iterator[Array]]:
    """Decode a video, and yield an iterator over its frames as N x H x W x 3, upright.

    Args:
        video: the video.
        bounds: numbers of frames before which a batch always ends, so that results do not depend on where an earlier call stopped.
        first: number of the first frame that is wanted; those before it are decoded, too, so that results do not depend on it.
        batch: how many frames to return at once.

    Raises:
        FfmpegError: if the video cannot be decoded, or not to as many frames as before.
    """
    with Process(_command(video, first)) as process, ThreadPoolExecutor(1) as reader:
        yield _ahead(_batches(process.output, video, bounds, first, batch), reader)


def _command(video: Video, first: int) -> list[str]:
    pixels = "rgb48le" if video.dtype == np.uint16 else "rgb24"
    filters = [DEINTERLACE] if video.interlaced else []
    filters += [f"trim=start_frame={first}"] if first else []
    filters += [video.colours.to_rgb, f"format={pixels}"]
    frames = ["-map", f"0:{video.stream['index']}", "-vf", ",".join(filters), "-fps_mode", "passthrough"]
    return [*FFMPEG, "-i", url(video.path), *frames, "-f", "rawvideo", "pipe:1"]


def _batches(output: IO[bytes], video: Video, bounds: Sequence[int], first: int, batch: int) -> Iterator[Array]:
    width, height = video.size
    size = width * height * 3 * np.dtype(video.dtype).itemsize
    while first < video.frames:
        wanted = min(batch, next(bound for bound in bounds if bound > first) - first)
        content = output.read(wanted * size)
        if len(content) < wanted * size:
            raise FfmpegError(f"{video.path}: ffmpeg decoded only {first + len(content) // size} of {video.frames} frames")
        yield np.frombuffer(content, video.dtype).reshape(wanted, height, width, 3)
        first += wanted
    if output.read(1):
        raise FfmpegError(f"{video.path}: ffmpeg decoded more than the {video.frames} frames that it found before")


def _ahead(batches: Iterator[Array], reader: ThreadPoolExecutor) -> Iterator[Array]:
    """Yield the items of an iterator, fetching them before they are needed."""
    waiting: deque[Future[Array | None]] = deque(reader.submit(next, batches, None) for _ in range(AHEAD))
    while (frames := waiting.popleft().result()) is not None:
        waiting.append(reader.submit(next, batches, None))
        yield frames
