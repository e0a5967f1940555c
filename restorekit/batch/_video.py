"""Restoring videos: ffmpeg decodes and encodes the frames through pipes."""

import errno
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from restorekit._files import atomic_path, make_folder, remove_leftovers
from restorekit.batch._stack import restored_stack
from restorekit.errors import RestorekitError
from restorekit.inference import Restorer

Array = npt.NDArray[Any]

VIDEO_SUFFIXES = (".mp4", ".mkv", ".mov", ".m4v", ".avi", ".webm")
ENCODERS = {".webm": ("libvpx-vp9", "-crf", "18", "-b:v", "0", "-row-mt", "1")}
ENCODER = ("libx264", "-crf", "14", "-preset", "medium")  # visually lossless
SCALER = "flags=bicubic+accurate_rnd+full_chroma_int"  # the default conversion to RGB and back darkens
AHEAD = 2  # batches that are read in advance
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
COLOURS = {
    "color_space": "-colorspace",
    "color_primaries": "-color_primaries",
    "color_transfer": "-color_trc",
    "color_range": "-color_range",
}
MATRICES = {
    "bt709": "bt709",
    "smpte170m": "bt601",
    "bt470bg": "bt601",
    "bt2020nc": "bt2020",
}  # name used by ffprobe -> name used by its scaler


class FfmpegError(RestorekitError, RuntimeError):
    """ffmpeg is not installed, or cannot do what it is asked to do."""


@dataclass(frozen=True)
class Video:
    """Properties of a video, known before it is decoded.

    Attributes:
        width: width in pixels of a frame that is shown upright.
        height: height of such a frame.
        rate: frames per second, as a fraction.
        frames: approximate number of frames, or None.
        dtype: dtype of pixels with enough bits.
        subsampling: chroma subsampling: 420, 422 or 444.
        colours: colour properties as ffprobe gives them.
    """

    width: int
    height: int
    rate: str
    frames: int | None
    dtype: npt.DTypeLike
    subsampling: str
    colours: dict[str, str]


def restore_video(
    restorer: Restorer, source: Path, target: Path, *, batch: int = 1, progress: Callable[[int, int | None], None] | None = None
) -> dict[str, Any]:
    """Restore a video frame by frame; sound, subtitles and metadata are kept. The output is written whole or not at all.

    The frame rate is constant: the mean rate of the input. 8-bit videos stay at 8 bits, and others become 10-bit.

    Args:
        restorer: the network and its options.
        source: the input.
        target: the output. Its suffix chooses the container and thus the codec: H.264, or VP9 for WebM.
        batch: how many frames go through the network at once.
        progress: is called with the number of frames done, and the approximate number of frames.

    Returns:
        Size, number of frames and seconds, and how the network ran, as plain data.

    Raises:
        FfmpegError: if ffmpeg is not installed, or the video cannot be read or written.
    """
    started = time.perf_counter()
    _check_installed()
    if target.suffix.lower() not in VIDEO_SUFFIXES:
        raise FfmpegError(f"{target}: a video can be written as {', '.join(VIDEO_SUFFIXES)}; got {target.suffix!r}")
    video = probe(source)
    height, width, channels = restorer.restored_shape(video.height, video.width, 3)
    if channels != 3:
        raise FfmpegError(f"{source}: a video needs 3 colours; this network restores {channels} channels")
    made = replace(video, width=width, height=height)
    make_folder(target.parent)
    remove_leftovers([target])
    done = 0
    with atomic_path(target) as temporary, _Process(_decoding(source, video)) as decoder:
        with (
            _Process(_encoding(source, temporary, made)) as encoder,
            ThreadPoolExecutor(1) as reader,
            ThreadPoolExecutor(1) as writer,
        ):
            writing: Future[None] | None = None
            for frames in _ahead(_batches(decoder.output, video, batch), reader):
                restored = restored_stack(restorer, frames)
                if writing:
                    writing.result()
                writing = writer.submit(encoder.write, restored.tobytes())
                done += len(frames)
                if progress:
                    progress(done, video.frames)
            if writing:
                writing.result()
        if not done:
            raise FfmpegError(f"{source} has no readable frames")
    seconds = round(time.perf_counter() - started, 3)
    size = {"width": width, "height": height, "frames": done}
    return size | {"seconds": {"total": seconds}} | restorer.describe(video.dtype) | {"batch": batch}


def probe(path: Path) -> Video:
    """Return what ffprobe reports about the video in a file.

    Raises:
        FfmpegError: if there is no video in it.
    """
    if not path.is_file():
        raise FfmpegError(f"there is no video at {path}")
    command = ["ffprobe", "-v", "error", "-select_streams", "V:0", "-show_streams", "-show_format", "-of", "json", str(path)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    streams = json.loads(found.stdout or "{}").get("streams", [])
    if found.returncode or not streams:
        raise FfmpegError(f"{path} is not a video that ffmpeg can read: {_last_line(found.stderr) or 'it has no picture'}")
    stream = streams[0]
    turned = any(abs(int(data.get("rotation", 0))) % 180 == 90 for data in stream.get("side_data_list", []))
    width, height = (stream["height"], stream["width"]) if turned else (stream["width"], stream["height"])
    rate = stream["avg_frame_rate"] if stream["avg_frame_rate"] != "0/0" else stream["r_frame_rate"]
    seconds = stream.get("duration") or json.loads(found.stdout)["format"].get("duration")
    count, _, per = rate.partition("/")
    frames = round(float(seconds) * int(count) / int(per or 1)) if seconds else None
    dtype = (
        np.uint16 if int(stream.get("bits_per_raw_sample") or 8) > 8 or stream["pix_fmt"].endswith(("10le", "12le")) else np.uint8
    )
    colours = {key: stream[key] for key in COLOURS if stream.get(key, "unknown") != "unknown"}
    known = re.match(r"yuvj?(420|422|444)p|nv12|p010", stream["pix_fmt"])
    subsampling = "444" if width % 2 or height % 2 or known is None else known[1] or "420"
    return Video(width, height, rate, frames, dtype, subsampling, colours)


class _Process:
    """An ffmpeg process that frames are read from or written to; its failures are raised as errors.

    Args:
        command: command line.
    """

    def __init__(self, command: list[str]) -> None:
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed on exit; an unread pipe may fill up
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, start_new_session=True
        )

    def __enter__(self) -> "_Process":
        """Return itself."""
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """Wait for the process to end, or end it after an error."""
        with self.errors:
            if kind is not None:
                self.process.kill()
            _, _ = self.process.communicate()
            if kind is None and (self.process.returncode or self._disk_error()):
                raise FfmpegError(f"ffmpeg failed: {self._error()}")

    @property
    def output(self) -> IO[bytes]:
        """The output of the process."""
        assert self.process.stdout is not None
        return self.process.stdout

    def write(self, content: bytes) -> None:
        """Write to the process.

        Raises:
            FfmpegError: if the process has ended.
        """
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(content)
        except BrokenPipeError as error:
            self.process.wait()
            raise FfmpegError(f"ffmpeg failed: {self._error()}") from error

    def _disk_error(self) -> str:
        """Return why the disk did not take the whole output, if so; some versions of ffmpeg then still report success."""
        return next((reason for reason in map(os.strerror, DISK_ERRORS) if reason in self._errors()), "")

    def _error(self) -> str:
        return self._disk_error() or _last_line(self._errors()) or f"it exited with status {self.process.returncode}"

    def _errors(self) -> str:
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")


def _decoding(source: Path, video: Video) -> list[str]:
    pixels = "rgb48le" if video.dtype == np.uint16 else "rgb24"
    scaling = ["-vf", f"scale={SCALER}"]
    timing = ["-fps_mode", "cfr", "-r", video.rate]
    return [
        "ffmpeg",
        "-v",
        "error",
        "-i",
        _url(source),
        "-map",
        "0:V:0",
        *scaling,
        *timing,
        "-f",
        "rawvideo",
        "-pix_fmt",
        pixels,
        "pipe:1",
    ]


def _encoding(source: Path, target: Path, video: Video) -> list[str]:
    deep = video.dtype == np.uint16
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb48le" if deep else "rgb24", "-s", f"{video.width}x{video.height}", "-r", video.rate]
    pixels = f"yuv{video.subsampling}p" + ("10le" if deep else "")
    matrix = MATRICES.get(video.colours.get("color_space", ""))
    scaling = ["-vf", f"scale={SCALER}" + (f":out_color_matrix={matrix}" if matrix else "")]
    tags = [word for key, value in video.colours.items() if key != "color_range" for word in (COLOURS[key], value)]
    kept = ["-map", "0:v", "-map", "1:a?", "-map", "1:s?", "-map_metadata", "1", "-c:a", "copy", "-c:s", "copy"]
    coded = ["-c:v", *ENCODERS.get(target.suffix.lower(), ENCODER), "-pix_fmt", pixels]
    return ["ffmpeg", "-v", "error", "-y", *raw, "-i", "pipe:0", "-i", _url(source), *kept, *scaling, *coded, *tags, _url(target)]


def _batches(output: IO[bytes], video: Video, batch: int) -> Iterator[Array]:
    """Yield frames as N x H x W x 3."""
    shape = (video.height, video.width, 3)
    size = int(np.prod(shape)) * np.dtype(video.dtype).itemsize
    while content := output.read(batch * size):
        whole = len(content) // size  # a partial frame means the decoder failed, which it reports itself
        if whole:
            yield np.frombuffer(content[: whole * size], video.dtype).reshape(whole, *shape)


def _ahead(batches: Iterator[Array], reader: ThreadPoolExecutor) -> Iterator[Array]:
    """Yield the items of an iterator, fetching them before they are needed."""
    waiting: deque[Future[Array | None]] = deque(reader.submit(next, batches, None) for _ in range(AHEAD))
    while (frames := waiting.popleft().result()) is not None:
        waiting.append(reader.submit(next, batches, None))
        yield frames


def _check_installed() -> None:
    missing = [name for name in ("ffmpeg", "ffprobe") if shutil.which(name) is None]
    if missing:
        raise FfmpegError(
            f"{' and '.join(missing)} not found; videos need ffmpeg; install it with apt install ffmpeg, brew install ffmpeg "
            "or winget install ffmpeg"
        )


def _url(path: Path) -> str:
    return f"file:{path}"  # otherwise a colon in the name would mark a protocol


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1]
