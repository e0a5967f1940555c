"""What is known about a video before it is restored: streams, colours, and the time of every frame."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from restorekit.batch.video._colours import Colours, colours_of
from restorekit.batch.video._ffmpeg import FFPROBE, FfmpegError, PixelFormat, Process, ffprobe, last_line, pixel_formats, url

FIELDS = re.compile(r"(\w+)=([^,|\s]+)")
TIME, DURATIONS = "best_effort_timestamp", ("duration", "pkt_duration")  # the latter in ffmpeg 5
WANTED = ",".join((TIME, *DURATIONS, "width", "height", "interlaced_frame"))
LACKING = 0.1  # seconds that may be missing at the end before a video counts as truncated, or one and a half frames


@dataclass(frozen=True)
class Video:
    """A video in a file.

    Attributes:
        path: the file.
        stream: what ffprobe reports about its stream.
        others: what ffprobe reports about the other streams of the file.
        tags: metadata of the file.
        size: width and height of a frame that is shown upright.
        aspect: width of a pixel over its height, or None if it is not known.
        pixels: how ffmpeg stores its pixels.
        colours: what the numbers mean.
        tick: unit of ``times`` in seconds.
        times: when each frame is shown, from the first.
        offset: seconds from the start of the file to the first frame.
        interlaced: how many frames are interlaced.
        damage: what is wrong with it, or "".
    """

    path: Path
    stream: Mapping[str, Any] = field(repr=False)
    others: tuple[Mapping[str, Any], ...] = field(repr=False)
    tags: Mapping[str, str] = field(repr=False)
    size: tuple[int, int]
    aspect: Fraction | None
    pixels: PixelFormat
    colours: Colours
    tick: Fraction
    times: tuple[int, ...] = field(repr=False)
    offset: float
    interlaced: int
    damage: str

    @property
    def frames(self) -> int:
        """How many frames it has."""
        return len(self.times)

    @property
    def dtype(self) -> npt.DTypeLike:
        """Dtype of pixels with enough bits."""
        return np.uint16 if self.pixels.depth > 8 else np.uint8

    @property
    def variable(self) -> bool:
        """Whether its frame rate varies, by more than some frames that are shown longer."""
        return self.times[-1] > 2 * self.frames


@dataclass
class _Frames:
    """What decoding a video shows about its frames."""

    times: list[int] = field(default_factory=list)
    sizes: set[tuple[str, str]] = field(default_factory=set)
    interlaced: int = 0
    duration: int = 0  # of the last frame
    errors: str = ""


def probe(path: Path) -> Video:
    """Decode a video once, without converting its frames, and return what is known about it.

    Args:
        path: the file.

    Raises:
        FfmpegError: if there is no video in it, or one that cannot be restored without loss; the message says what to do.
    """
    if not path.is_file():
        raise FfmpegError(f"there is no video at {path}")
    try:
        about = ffprobe(path, "-show_streams", "-show_format")
    except FfmpegError as error:
        raise FfmpegError(f"{path} is not a video that ffmpeg can read: {error}") from error
    videos = [stream for stream in about["streams"] if stream["codec_type"] == "video" and not is_picture(stream)]
    if not videos:
        raise FfmpegError(f"{path} is not a video that ffmpeg can read: it has no moving picture")
    stream = videos[0]
    try:
        return _video(path, about, stream)
    except FfmpegError as error:
        raise FfmpegError(f"{path}: {error}") from error


def is_picture(stream: Mapping[str, Any]) -> bool:
    """Return whether a stream is a cover picture."""
    return bool(stream["disposition"]["attached_pic"] or stream["disposition"].get("still_image"))


def _video(path: Path, about: Mapping[str, Any], stream: Mapping[str, Any]) -> Video:
    pixels = pixel_formats().get(stream.get("pix_fmt", ""))
    if pixels is None:
        raise FfmpegError(f"ffmpeg cannot decode its codec, {stream.get('codec_name', 'which it does not recognise')}")
    if pixels.alpha or stream.get("tags", {}).get("alpha_mode") == "1":
        raise FfmpegError(
            "it has transparency, which would be lost; remove it: ffmpeg -i INPUT -vf format=yuv444p -c:a copy -crf 12 OUTPUT"
        )
    turn = next((int(data["rotation"]) for data in stream.get("side_data_list", []) if "rotation" in data), 0)
    size, aspect = (stream["width"], stream["height"]), _aspect(stream)
    colours = colours_of(stream, rgb=pixels.rgb, height=size[1])
    frames = _frames(path, stream)
    if not frames.times:
        raise FfmpegError(f"it has no readable frames{f': {last_line(frames.errors)}' if frames.errors else ''}")
    if len(frames.sizes) > 1:
        sizes = " and ".join(sorted(f"{width} x {height}" for width, height in frames.sizes))
        raise FfmpegError(
            f"its frames have several sizes, {sizes}; scale them first: ffmpeg -i INPUT -s {size[0]}x{size[1]} OUTPUT"
        )
    if frames.interlaced and turn:
        raise FfmpegError("it is interlaced and rotated; deinterlace it first: ffmpeg -i INPUT -vf bwdif -c:a copy -crf 12 OUTPUT")
    if abs(turn) % 180 == 90:
        size, aspect = size[::-1], aspect and 1 / aspect
    base = Fraction(stream["time_base"])
    tick, times = _exact(frames, base)
    return Video(
        path=path,
        stream=stream,
        others=tuple(other for other in about["streams"] if other is not stream),
        tags=about["format"].get("tags", {}),
        size=size,
        aspect=aspect,
        pixels=pixels,
        colours=colours,
        tick=tick,
        times=times,
        offset=float(frames.times[0] * base) - float(about["format"].get("start_time", 0)),
        interlaced=frames.interlaced,
        damage=_damage(stream, frames, base),
    )


def _frames(path: Path, stream: Mapping[str, Any]) -> _Frames:
    """Decode all frames, and return their times and sizes."""
    found = _Frames()
    select = ["-threads", "0", "-select_streams", str(stream["index"])]
    show = ["-show_entries", f"frame={WANTED}", "-of", "csv=nokey=0:print_section=0"]
    try:
        with Process([*FFPROBE, *select, *show, url(path)]) as process:
            for line in process.output:
                fields = dict(FIELDS.findall(line.decode()))
                if "width" not in fields:  # side data of a frame
                    continue
                found.times.append(_next_time(found, fields.get(TIME, "N/A"), stream))
                found.duration = next((int(fields[key]) for key in DURATIONS if fields.get(key, "N/A") != "N/A"), 0)
                found.sizes.add((fields["width"], fields["height"]))
                found.interlaced += fields["interlaced_frame"] == "1"
            process.process.wait()
            found.errors = process.said()
    except FfmpegError as error:  # at the damaged place; the frames before it can still be read
        found.errors = str(error)
    return found


def _next_time(found: _Frames, time: str, stream: Mapping[str, Any]) -> int:
    """Return the time of a frame: as it is, or right after the one before if the file has none or one that is not later."""
    if not found.times:
        return 0 if time == "N/A" else int(time)
    last = found.times[-1]
    if time == "N/A":
        rate = Fraction(stream["r_frame_rate"])
        return last + max(1, round(1 / (rate * Fraction(stream["time_base"]))))
    return max(int(time), last + 1)


def _exact(frames: _Frames, base: Fraction) -> tuple[Fraction, tuple[int, ...]]:
    """Return the times from the first frame on, in the largest unit that all are multiples of: one frame, at a constant rate."""
    since = [time - frames.times[0] for time in frames.times]
    unit = math.gcd(*since) or frames.duration or 1
    return unit * base, tuple(time // unit for time in since)


def _damage(stream: Mapping[str, Any], frames: _Frames, base: Fraction) -> str:
    """Return what is wrong with a video: it ends before its header says, or ffmpeg complains."""
    count = len(frames.times)
    end = float((frames.times[-1] + frames.duration) * base)
    frame = float((frames.times[-1] - frames.times[0]) * base) / max(1, count - 1)
    missing = _declared_end(stream, end) - end
    total = int(stream.get("nb_frames", 0)) or round(count + missing / frame if frame else count)
    if missing > max(LACKING, 1.5 * frame):
        return f"it is truncated: {count} of about {total} frames can be read, and the last {missing:.1f} s are missing"
    if frames.errors:
        return f"it is damaged: {count} of about {total} frames can be read, and ffmpeg says: {last_line(frames.errors)}"
    return ""


def _declared_end(stream: Mapping[str, Any], default: float) -> float:
    """Return the second at which a video ends according to its header."""
    if "duration" in stream:
        return float(stream.get("start_time", 0)) + float(stream["duration"])
    hours = re.match(r"(\d+):(\d+):(\d+\.?\d*)", stream.get("tags", {}).get("DURATION", ""))  # Matroska: from 0
    return int(hours[1]) * 3600 + int(hours[2]) * 60 + float(hours[3]) if hours else default


def _aspect(stream: Mapping[str, Any]) -> Fraction | None:
    width, _, height = stream.get("sample_aspect_ratio", "0:1").partition(":")
    return Fraction(int(width), int(height)) if int(width) and int(height) else None
