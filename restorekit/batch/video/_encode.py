"""Encoding frames as parts of a video, each a file that appears when it is whole.

Frames and their times go to ffmpeg as IVF, the simplest container that has a time for each frame, with PPM images inside.
"""

import struct
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from restorekit._files import atomic_path
from restorekit.batch.video._codecs import Encoding
from restorekit.batch.video._ffmpeg import FFMPEG, Process, url
from restorekit.batch.video._probe import Video

Array = npt.NDArray[Any]


class PartWriter:
    """Writes frames to parts. Several frames may be given at once, but only of one part.

    Args:
        folder: where the parts are written.
        name: how their names start.
        video: the input.
        encoding: how they are encoded.
        bounds: number of the first frame of each part, and the number of frames.
        first: number of the first frame that will be written, the first of a part.
        columns: how many frames are side by side.
    """

    def __init__(
        self, folder: Path, name: str, video: Video, encoding: Encoding, bounds: list[int], *, first: int, columns: int
    ) -> None:
        self.folder, self.name, self.video, self.encoding = folder, name, video, encoding
        self.bounds, self.next, self.columns = bounds, first, columns
        self.stack = ExitStack()
        self.process: Process | None = None

    def __enter__(self) -> "PartWriter":
        """Return itself."""
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        """Drop the part that is not whole, if there is one."""
        self.stack.__exit__(kind, error, trace)

    def write(self, frames: Array) -> None:
        """Write frames, N x H x W x 3.

        Raises:
            FfmpegError: if the encoder fails.
        """
        if self.process is None:
            target = self.stack.enter_context(
                atomic_path(part_path(self.folder, self.name, self.encoding, self.bounds.index(self.next)))
            )
            self.process = self.stack.enter_context(Process(self._command(target)))
            self.process.write(self._header())
            self.started = self.video.times[self.next]
        for frame in frames:
            time = self.video.times[self.next] - self.started
            height, width = frame.shape[:2]
            start = b"P6 %d %d %d\n" % (width, height, np.iinfo(frame.dtype).max)
            content = frame.astype(frame.dtype.newbyteorder(">")).tobytes()
            self.process.write(struct.pack("<IQ", len(start) + len(content), time), start, content)
            self.next += 1
        if self.next in self.bounds:
            self.process = None
            self.stack.close()

    def _header(self) -> bytes:
        width, height = self.video.size
        tick = self.video.tick
        size = (width * self.columns, height)
        return struct.pack("<4sHH4sHHIIII", b"DKIF", 0, 32, b"PPM ", *size, tick.denominator, tick.numerator, 0, 0)

    def _command(self, target: Path) -> list[str]:
        video, pixels = self.video, self.encoding.pixels
        filters = [] if pixels.rgb else [video.colours.from_rgb]
        filters += [f"format={pixels.name}", *([] if pixels.rgb else [video.colours.tagging])]
        filters += [f"setsar={video.aspect.numerator}/{video.aspect.denominator}"] if video.aspect else []
        frames = [
            "-f",
            "ivf",
            "-c:v",
            "ppm",
            "-i",
            "pipe:0",
            "-fps_mode",
            "passthrough",
            "-enc_time_base",
            f"{video.tick.numerator}/{video.tick.denominator}",
        ]
        rate = ["-x265-params", f"log-level=error:fps={mean_rate(video)}"] if self.encoding.encoder == "libx265" else []
        encoded = [*self.encoding.options, *rate, "-video_track_timescale", str(timescale(video))]
        return [*FFMPEG, "-y", *frames, "-vf", ",".join(filters), *encoded, url(target)]


def part_path(folder: Path, name: str, encoding: Encoding, index: int) -> Path:
    """Return the path of a part."""
    return folder / f"{name}-{index:06}{encoding.codec.part}"


def mean_rate(video: Video) -> Fraction:
    """Return the mean number of frames a second, which x265 takes for the exact one."""
    seconds = video.times[-1] * video.tick or video.tick
    return (max(1, video.frames - 1) / seconds).limit_denominator(1001)


def timescale(video: Video) -> int:
    """Return the units a second in which MP4 and MOV files store the times, exactly."""
    return Fraction(video.stream["time_base"]).denominator
