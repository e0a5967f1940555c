"""The programs ffmpeg and ffprobe: whether they are installed, what they can do, and processes of them."""

import errno
import json
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

from restorekit.errors import RestorekitError

FFMPEG = ("ffmpeg", "-v", "error", "-nostdin")
FFPROBE = ("ffprobe", "-v", "error")
OLDEST = (5, 1)  # the first that has -fps_mode
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


class FfmpegError(RestorekitError, RuntimeError):
    """ffmpeg is not installed, or cannot do what it is asked to do, or a video that cannot be restored as it is."""


@dataclass(frozen=True)
class PixelFormat:
    """How ffmpeg stores pixels.

    Attributes:
        name: its name in ffmpeg.
        depth: bits of a sample.
        chroma: base-2 logarithms of how many times fewer columns and rows the colour has.
        rgb: whether it stores RGB, or a palette of it.
        alpha: whether it stores transparency.
        plain: whether it stores three colours in memory, as encoders here are given them.
    """

    name: str
    depth: int
    chroma: tuple[int, int]
    rgb: bool
    alpha: bool
    plain: bool


class Process:
    """An ffmpeg process that is read from or written to; its failures are raised as errors.

    Args:
        command: command line.
    """

    def __init__(self, command: list[str]) -> None:
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed on exit; an unread pipe may fill up
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, start_new_session=True
        )

    def __enter__(self) -> "Process":
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

    def write(self, *contents: bytes) -> None:
        """Write to the process.

        Raises:
            FfmpegError: if the process has ended.
        """
        assert self.process.stdin is not None
        try:
            for content in contents:
                self.process.stdin.write(content)
        except BrokenPipeError as error:
            self.process.wait()
            raise FfmpegError(f"ffmpeg failed: {self._error()}") from error

    def said(self) -> str:
        """Return what the process has written as errors."""
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")

    def _disk_error(self) -> str:
        """Return why the disk did not take the whole output, if so; some versions of ffmpeg then still report success."""
        return next((reason for reason in map(os.strerror, DISK_ERRORS) if reason in self.said()), "")

    def _error(self) -> str:
        return self._disk_error() or last_line(self.said()) or f"it exited with status {self.process.returncode}"


def run(command: list[str]) -> bytes:
    """Run a command to its end and return its output.

    Raises:
        FfmpegError: if it fails.
    """
    with Process(command) as process:
        return process.output.read()


def url(path: Path) -> str:
    """Return a path as ffmpeg takes it: otherwise a colon in it would mark a protocol, and a hyphen before it an option."""
    return f"file:{path}"


def last_line(text: str) -> str:
    """Return the last line of a text."""
    return (text.strip().splitlines() or [""])[-1]


def check_installed() -> None:
    """Raise an :class:`FfmpegError` if ffmpeg is missing or too old."""
    missing = [name for name in ("ffmpeg", "ffprobe") if shutil.which(name) is None]
    if missing:
        raise FfmpegError(
            f"{' and '.join(missing)} not found; videos need ffmpeg; install it with apt install ffmpeg, brew install ffmpeg "
            "or winget install ffmpeg"
        )
    version = _version()
    number = re.match(r"n?(\d+)\.(\d+)", version)  # a version that was built from git has none, and is new
    if number and tuple(map(int, number.groups())) < OLDEST:
        raise FfmpegError(f"ffmpeg {version} is too old; videos need ffmpeg {'.'.join(map(str, OLDEST))} or newer")


@cache
def _version() -> str:
    return run(["ffmpeg", "-version"]).decode().split(" ", 3)[2]


@cache
def pixel_formats() -> dict[str, PixelFormat]:
    """Return all pixel formats of this ffmpeg by name."""
    return {record["name"]: _pixel_format(record) for record in _ffprobe_json("-show_pixel_formats")["pixel_formats"]}


@cache
def encodes(encoder: str) -> tuple[PixelFormat, ...]:
    """Return the pixel formats that an encoder takes; none if this ffmpeg does not have the encoder."""
    about = run([*FFMPEG, "-h", f"encoder={encoder}"]).decode()
    listed = re.search(r"Supported pixel formats: (.+)", about)
    return tuple(pixel_formats()[name] for name in listed[1].split() if name in pixel_formats()) if listed else ()


def ffprobe(path: Path, *arguments: str) -> dict[str, Any]:
    """Return what ffprobe reports about a file."""
    return _ffprobe_json(*arguments, url(path))


def _ffprobe_json(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run([*FFPROBE, "-of", "json", *arguments]))
    return found


def _pixel_format(record: dict[str, Any]) -> PixelFormat:
    flags, name = record["flags"], record["name"]
    depth = max((component["bit_depth"] for component in record.get("components", [])), default=0)
    grey = record["nb_components"] == 1 and not flags["palette"]  # its colour may have any resolution
    chroma = (1, 1) if grey else (record.get("log2_chroma_w", 0), record.get("log2_chroma_h", 0))
    alpha = bool(flags["alpha"]) and not flags["palette"]
    special = alpha or flags["hwaccel"] or flags["palette"] or flags["big_endian"] or name.startswith("yuvj")
    plain = record["nb_components"] == 3 and not special
    return PixelFormat(name, depth, chroma, bool(flags["rgb"] or flags["palette"]), alpha, plain)
