"""Restoring a video frame by frame, part by part."""

import hashlib
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from restorekit._files import atomic_path, make_folder, remove_leftovers
from restorekit._packages import versions_of
from restorekit.batch._stack import restored_stack
from restorekit.batch.video._codecs import Encoding, container_of, encoding_for, lost
from restorekit.batch.video._decode import decoded
from restorekit.batch.video._encode import PartWriter, part_path
from restorekit.batch.video._ffmpeg import FfmpegError, check_installed, ffprobe
from restorekit.batch.video._join import join, kept_streams
from restorekit.batch.video._options import VideoOptions
from restorekit.batch.video._parts import bounds_of, parts_of
from restorekit.batch.video._probe import Video, probe
from restorekit.inference import Restorer
from restorekit.network import RestorationNetwork

Array = npt.NDArray[Any]

CREATOR = "restorekit restore --compare"  # as the comment, it tells a comparison from a file of the user with the same name


@dataclass(frozen=True)
class _Output:
    """A video that is written: the restored one, or its comparison with the input."""

    name: str
    target: Path
    columns: int = 1
    comment: str = ""


def restore_video(
    restorer: Restorer,
    source: Path,
    target: Path,
    *,
    batch: int = 1,
    options: VideoOptions | None = None,
    progress: Callable[[int, int], None] | None = None,
    note: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Restore a video frame by frame. The output is written whole or not at all.

    Each frame keeps its time, its colours and the shape of its pixels; sound, subtitles, chapters, attachments and metadata are
    copied. Interlaced frames are deinterlaced, rotated videos are turned upright. The work is done in parts, so that the same call
    resumes after an interruption: finished parts are kept in a hidden folder next to the output until it is written.

    Args:
        restorer: the network and its options.
        source: the input.
        target: the output. Its suffix chooses the container.
        batch: how many frames go through the network at once.
        options: codec, quality, comparison, and what to do with a damaged input.
        progress: is called with the number of frames done, and their number; first when the work starts or resumes.
        note: is called with sentences about what changes and what cannot be kept, before the work.

    Returns:
        Size, number of frames and seconds, codec, notes, and how the network ran, as plain data.

    Raises:
        FfmpegError: if ffmpeg is not installed, or the video cannot be read, restored or written as asked.
    """
    started = time.perf_counter()
    options = options or VideoOptions()
    check_installed()
    scale, channels = restorer.model.output.scale, (restorer.model.image_channels, restorer.model.output_channels)
    if channels[0] != channels[1]:
        raise FfmpegError(
            f"{source}: this network makes {channels[1]} channels of {channels[0]}; the frames of a video keep their colours"
        )
    container_of(target)
    video = probe(source)
    width, height = (scale * side for side in video.size)
    encoding = encoding_for(target, video.pixels, (width, height), options.codec, options.crf)
    notes = _notes(video, encoding, options)
    make_folder(target.parent)
    outputs = [_Output("restored", target)]
    if options.compare:
        outputs.append(_Output("compare", video_comparison_path(target), 2, CREATOR))
    remove_leftovers([output.target for output in outputs])
    with parts_of(target, _job(restorer, video, encoding, batch)) as folder:
        kept, changes = kept_streams(video, target, encoding.container, folder)
        notes += changes
        bounds = bounds_of(video.frames)
        parts = [[part_path(folder, output.name, encoding, number) for number in range(len(bounds) - 1)] for output in outputs]
        whole = [all(path.is_file() for path in files) for files in zip(*parts, strict=True)]
        first = bounds[[*whole, False].index(False)]
        if first:
            notes.append(f"resumed at frame {first + 1} of {video.frames}")
        if note:
            for text in notes:
                note(text)
        _restore_parts(restorer, video, encoding, folder, outputs, bounds, first, batch, progress)
        with ExitStack() as stack:
            for output, files in zip(outputs, parts, strict=True):
                temporary = stack.enter_context(atomic_path(output.target))
                join(files, video, temporary, encoding, kept, bounds, output.comment)
    size = {"width": width, "height": height, "frames": video.frames, "codec": encoding.name, "pixels": encoding.pixels.name}
    seconds = {"total": round(time.perf_counter() - started, 3)}
    damage = {"damage": video.damage} if video.damage else {}
    return size | {"seconds": seconds, "notes": notes} | damage | restorer.describe(video.dtype) | {"batch": batch}


def video_comparison_path(target: Path) -> Path:
    """Return the path of the comparison for an output: in the same folder, and in the same container."""
    return target.with_name(f"{target.stem}.compare{target.suffix}")


def is_video_comparison(path: Path) -> bool:
    """Return whether a file is a comparison that this library wrote."""
    try:
        tags = ffprobe(path, "-show_format")["format"].get("tags", {})
    except (FfmpegError, FileNotFoundError):  # also without ffmpeg
        return False
    return CREATOR in (value for name, value in tags.items() if name.lower() == "comment")


def _restore_parts(
    restorer: Restorer,
    video: Video,
    encoding: Encoding,
    folder: Path,
    outputs: list[_Output],
    bounds: list[int],
    first: int,
    batch: int,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Restore the frames from a first one on, while others are decoded and encoded."""
    done = first
    if progress:
        progress(done, video.frames)
    if done == video.frames:
        return
    with ExitStack() as stack:
        width, height = (restorer.model.output.scale * side for side in video.size)
        enlarged = replace(video, size=(width, height))
        writers = [
            stack.enter_context(PartWriter(folder, output.name, enlarged, encoding, bounds, first=first, columns=output.columns))
            for output in outputs
        ]
        frames_read = stack.enter_context(decoded(video, bounds, first, batch))
        pool = stack.enter_context(ThreadPoolExecutor(1))
        writing: Future[None] | None = None
        for frames in frames_read:
            restored = restored_stack(restorer, frames)
            if writing:
                writing.result()
            writing = pool.submit(_write, writers, frames, restored)
            done += len(frames)
            if progress:
                progress(done, video.frames)
        if writing:
            writing.result()


def _write(writers: list[PartWriter], frames: Array, restored: Array) -> None:
    scale = restored.shape[1] // frames.shape[1]
    for writer in writers:
        if writer.columns == 1:
            writer.write(restored)
        else:
            given = frames.repeat(scale, axis=1).repeat(scale, axis=2)
            writer.write(np.concatenate([given, restored], axis=2))


def _notes(video: Video, encoding: Encoding, options: VideoOptions) -> list[str]:
    """Return what changes in the output.

    Raises:
        FfmpegError: if the video is damaged, or the container cannot have what it has.
    """
    notes: list[str] = []
    if video.damage and options.damaged == "refuse":
        raise FfmpegError(f"{video.path}: {video.damage}; to restore these frames: --damaged keep")
    if video.variable and not encoding.container.variable:
        raise FfmpegError(
            f"{video.path}: its frame rate varies, and this container only stores a constant rate; write .mkv or .mp4"
        )
    if video.interlaced:
        notes.append(
            f"{video.interlaced} of {video.frames} frames are interlaced: deinterlaced by bwdif, a frame of each pair of fields"
        )
    if change := lost(video.pixels, encoding):
        notes.append(change)
    return notes


def _job(restorer: Restorer, video: Video, encoding: Encoding, batch: int) -> dict[str, Any]:
    """Return all that parts depend on."""
    found = video.path.stat()
    return {
        "versions": versions_of(["restorekit", "torch"]),
        "input": [str(video.path.resolve()), found.st_size, found.st_mtime_ns, video.frames, hash((video.tick, video.times))],
        "network": _checksum(restorer.model),
        "options": repr(restorer.options),
        "batch": batch,
        "bounds": hash(tuple(bounds_of(video.frames))),
        "encoding": repr(encoding),
    }


def _checksum(model: RestorationNetwork) -> str:
    """Return a checksum of the structure and the weights of a network."""
    checksum = hashlib.sha256(str(model).encode())
    for name, tensor in model.state_dict().items():
        checksum.update(f"{name} {tensor.dtype}".encode())
        checksum.update(tensor.detach().cpu().reshape(-1).contiguous().view(torch.uint8).numpy().data)
    return checksum.hexdigest()
