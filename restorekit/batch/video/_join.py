"""Joining the parts of a video, without loss, with everything else that is in the file of the input."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from restorekit.batch.video._codecs import Container, Encoding
from restorekit.batch.video._encode import timescale
from restorekit.batch.video._ffmpeg import FFMPEG, FfmpegError, ffprobe, run, url
from restorekit.batch.video._probe import Video, is_picture

KINDS = {"audio": "sound", "subtitle": "subtitles", "attachment": "attachment", "data": "data", "video": "picture"}
ATTACH = "attach"  # in place of an encoder: Matroska files have cover pictures as attachments
PICTURES = {"mjpeg": (".jpg", "image/jpeg"), "png": (".png", "image/png")}  # codec -> suffix and type of a cover picture
MADE_AGAIN = ("tmcd", "text")  # tracks of time codes and chapters, which the container makes from the metadata


@dataclass(frozen=True)
class Kept:
    """A stream of the input besides its video, in the output.

    Attributes:
        index: its number in the input.
        codec: name of ffmpeg's encoder, ``"copy"``, or ``"attach"``.
    """

    index: int
    codec: str = "copy"


def kept_streams(video: Video, target: Path, container: Container, scratch: Path) -> tuple[list[Kept], list[str]]:
    """Return which other streams of the input the output can have, and notes about those that it cannot.

    Args:
        video: the input.
        target: the output.
        container: its file format.
        scratch: folder for a file to try it with.

    Raises:
        FfmpegError: if the output cannot have the sound.
    """
    others = [other for other in video.others if not _is_made_again(other)]
    kept, notes = [], []
    if container.muxer == "matroska":
        covers = [other for other in others if is_picture(other) and other["codec_name"] in PICTURES]
        kept += [Kept(other["index"], ATTACH) for other in covers]
        others = [other for other in others if other not in covers]
    if not others or _fits(video, [Kept(other["index"]) for other in others], container, scratch):
        return [*kept, *(Kept(other["index"]) for other in others)], []
    for other in others:
        copied, converted = Kept(other["index"]), Kept(other["index"], container.subtitles)
        if _fits(video, [copied], container, scratch):
            kept.append(copied)
        elif other["codec_type"] == "subtitle" and container.subtitles and _fits(video, [converted], container, scratch):
            kept.append(converted)
            notes.append(
                f"{_named(other)}: converted to {container.subtitles}, because {target.suffix} files cannot have them as is"
            )
        elif other["codec_type"] == "audio":
            raise FfmpegError(f"{target.suffix} files cannot have its {_named(other)}; write another container, such as .mkv")
        else:
            notes.append(f"{_named(other)}: left out, because {target.suffix} files cannot have it; .mkv files can have most")
    return kept, notes


def join(
    parts: Sequence[Path],
    video: Video,
    target: Path,
    encoding: Encoding,
    kept: Sequence[Kept],
    bounds: Sequence[int],
    comment: str = "",
) -> None:
    """Join parts to a video with the other streams, chapters and metadata of the input.

    Args:
        parts: the parts in order, all in one folder.
        video: the input.
        target: path of the output.
        encoding: how the parts are encoded.
        kept: the other streams.
        bounds: number of the first frame of each part, and the number of frames.
        comment: replaces the comment in the metadata, if given.

    Raises:
        FfmpegError: if ffmpeg fails, or the output does not have all frames.
    """
    main = Kept(video.stream["index"])
    order = sorted([main, *kept], key=lambda stream: (stream.codec == ATTACH, stream.index))
    where = order.index(main)
    streams: list[str] = []
    for number, stream in enumerate(order):
        if stream.codec == ATTACH:
            streams += _attached(video, stream, number, parts[0].parent)
            continue
        streams += ["-map", "0:v:0" if number == where else f"1:{stream.index}"]
        streams += [f"-map_metadata:s:{number}", f"1:s:{stream.index}", f"-c:{number}", stream.codec]
    flags = "+".join(name for name, value in video.stream["disposition"].items() if value) or "0"
    streams += [] if encoding.pixels.rgb else video.colours.options
    streams += [f"-disposition:{where}", flags, *encoding.tag, "-map_metadata", "1", "-map_chapters", "1"]
    streams += ["-metadata", f"comment={comment}"] if comment else []
    muxer = encoding.container.muxer
    if muxer in ("mp4", "mov"):
        streams += ["-video_track_timescale", str(timescale(video))]
        streams += ["-movflags", "use_metadata_tags"] if any(tag.startswith("com.") for tag in video.tags) else []
    inputs = ["-itsoffset", f"{video.offset:.6f}", "-f", "concat", "-i", url(_list(parts, video, bounds)), "-i", url(video.path)]
    run([*FFMPEG, "-y", *inputs, *streams, "-f", muxer, url(target)])
    if (count := _count(target)) != video.frames:
        raise FfmpegError(
            f"the output has {count} frames, and not the {video.frames} of the input; remove {parts[0].parent}, and try again"
        )


def _list(parts: Sequence[Path], video: Video, bounds: Sequence[int]) -> Path:
    """Write the list of parts that ffmpeg joins, with the exact time from the start of each to that of the next."""
    times = [*(video.times[number] for number in bounds[:-1]), video.times[-1] + 1]
    starts = [round(time * video.tick * 1_000_000) for time in times]
    lines = ["ffconcat version 1.0"]
    for path, (start, end) in zip(parts, pairwise(starts), strict=True):
        lines += [f"file {path.name}", f"duration {end - start}us"]
    listed = parts[0].with_name("parts.ffconcat")
    listed.write_text("\n".join(lines) + "\n")
    return listed


def _attached(video: Video, stream: Kept, number: int, scratch: Path) -> list[str]:
    """Return the options that attach a cover picture to the output."""
    about = next(other for other in video.others if other["index"] == stream.index)
    suffix, kind = PICTURES[about["codec_name"]]
    name = about.get("tags", {}).get("filename", f"cover{suffix}")
    picture = scratch / f"cover-{stream.index}{suffix}"
    run([*FFMPEG, "-y", "-i", url(video.path), "-map", f"0:{stream.index}", "-c", "copy", "-f", "data", url(picture)])
    tags = {"mimetype": kind, "filename": name}
    return ["-attach", url(picture), *(word for key in tags for word in (f"-metadata:s:{number}", f"{key}={tags[key]}"))]


def _fits(video: Video, streams: Sequence[Kept], container: Container, scratch: Path) -> bool:
    """Return whether the header of an output can have these streams."""
    options = [word for number, kept in enumerate(streams) for word in ("-map", f"0:{kept.index}", f"-c:{number}", kept.codec)]
    trial = scratch / "trial"
    try:
        run([*FFMPEG, "-y", "-i", url(video.path), *options, "-t", "0", "-f", container.muxer, url(trial)])
    except FfmpegError:
        return False
    finally:
        trial.unlink(missing_ok=True)
    return True


def _count(path: Path) -> int:
    """Return the number of frames in a file."""
    found = ffprobe(path, "-count_packets", "-select_streams", "V:0", "-show_entries", "stream=nb_read_packets")
    return int(found["streams"][0]["nb_read_packets"])


def _is_made_again(other: Mapping[str, Any]) -> bool:
    return other["codec_type"] == "data" and other.get("codec_tag_string") in MADE_AGAIN


def _named(other: Mapping[str, Any]) -> str:
    kind = "cover picture" if is_picture(other) else KINDS.get(other["codec_type"], "stream")
    name = other.get("tags", {}).get("filename") or other.get("codec_name", "unknown")
    return f"{kind} ({name}, stream {other['index']})"
