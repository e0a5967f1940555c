"""Which codecs and containers videos are written with."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from restorekit.batch.video._ffmpeg import FfmpegError, PixelFormat, encodes
from restorekit.parts import did_you_mean


@dataclass(frozen=True)
class Codec:
    """A way to encode videos.

    Attributes:
        encoders: names of encoders in ffmpeg, with their options; the first that is installed is used.
        crf: the default quality, visually lossless, or None if the codec has no such scale.
        worst: the largest number of that scale.
        part: suffix of a file for a part of a video: a container that stores exact times.
        tag: identifier of the codec in MP4 and MOV files, if ffmpeg's default is not understood everywhere.
        even: whether width and height must be even if the colour is subsampled.
    """

    encoders: Mapping[str, tuple[str, ...]]
    crf: int | None = None
    worst: int = 51
    part: str = ".mp4"
    tag: str = ""
    even: bool = False


CODECS = {
    "h264": Codec({"libx264": ("-preset", "medium")}, crf=14, even=True),
    "h265": Codec({"libx265": ("-preset", "medium")}, crf=16, tag="hvc1", even=True),
    "vp9": Codec({"libvpx-vp9": ("-b:v", "0", "-row-mt", "1")}, crf=18, worst=63),
    "av1": Codec({"libsvtav1": (), "libaom-av1": ("-b:v", "0", "-cpu-used", "6", "-row-mt", "1")}, crf=18, worst=63),
    "prores": Codec({"prores_ks": ()}, part=".mov"),
    "ffv1": Codec({"ffv1": ("-level", "3", "-slices", "4", "-slicecrc", "1")}, part=".mov"),
}


@dataclass(frozen=True)
class Container:
    """A file format of videos.

    Attributes:
        muxer: its name in ffmpeg.
        codecs: the codecs that it takes; the first is the default.
        subtitles: name of ffmpeg's encoder that text subtitles are converted with if they cannot be copied.
        variable: whether it stores the time of each frame; otherwise a constant rate, of which frames may be missing.
        exact: whether these times are exact; otherwise they are rounded to milliseconds.
    """

    muxer: str
    codecs: tuple[str, ...]
    subtitles: str = ""
    variable: bool = True
    exact: bool = True


MP4 = Container("mp4", ("h264", "h265", "av1", "vp9"), subtitles="mov_text")

CONTAINERS = {
    ".mp4": MP4,
    ".mkv": Container("matroska", ("h264", "h265", "av1", "vp9", "prores", "ffv1"), subtitles="srt", exact=False),
    ".mov": Container("mov", ("h264", "h265", "prores", "ffv1"), subtitles="mov_text"),
    ".m4v": MP4,
    ".avi": Container("avi", ("h264", "ffv1"), variable=False),
    ".webm": Container("webm", ("vp9", "av1"), subtitles="webvtt", exact=False),
}
VIDEO_SUFFIXES = tuple(CONTAINERS)


@dataclass(frozen=True)
class Encoding:
    """How a video is encoded.

    Attributes:
        name: name of the codec.
        codec: the codec.
        encoder: name of its encoder in ffmpeg.
        pixels: how pixels are stored.
        crf: the quality.
        container: the file format.
    """

    name: str
    codec: Codec
    encoder: str
    pixels: PixelFormat
    crf: int | None
    container: Container

    @property
    def options(self) -> list[str]:
        """Options of ffmpeg for encoding."""
        quality = [] if self.crf is None else ["-crf", str(self.crf)]
        frames = [] if self.container.variable else ["-bf", "0"]  # AVI stores no order of frames
        return ["-c:v", self.encoder, *self.codec.encoders[self.encoder], *quality, *frames, *self.tag]

    @property
    def tag(self) -> list[str]:
        """Options of ffmpeg for the identifier of the codec."""
        return ["-tag:v", self.codec.tag] if self.codec.tag and self.container.muxer in ("mp4", "mov") else []


def container_of(target: Path) -> Container:
    """Return the file format that the suffix of an output chooses.

    Raises:
        FfmpegError: if it is not one of videos.
    """
    if target.suffix.lower() not in CONTAINERS:
        raise FfmpegError(f"{target}: a video can be written as {', '.join(CONTAINERS)}; got {target.suffix!r}")
    return CONTAINERS[target.suffix.lower()]


def encoding_for(target: Path, source: PixelFormat, size: tuple[int, int], codec: str | None, crf: int | None) -> Encoding:
    """Choose the encoder of an output, and pixels that keep what the source has.

    Args:
        target: the output.
        source: how the input stores pixels.
        size: width and height.
        codec: name of the codec, or None for the default of the container.
        crf: quality, or None for the default of the codec.

    Raises:
        FfmpegError: if the container does not take the codec, the codec not the quality, or ffmpeg lacks the encoder.
    """
    container = container_of(target)
    name = codec or container.codecs[0]
    if name not in container.codecs:
        raise FfmpegError(f"{target.suffix} files take the codecs {', '.join(container.codecs)}; got {name}{_elsewhere(name)}")
    chosen = CODECS[name]
    if crf is not None and crf > chosen.worst:
        raise FfmpegError(f"the quality of {name} is from 0, the best, to {chosen.worst}; got --crf {crf}")
    encoder, formats = next(((each, encodes(each)) for each in chosen.encoders if encodes(each)), ("", ()))
    odd = chosen.even and any(side % 2 for side in size)
    formats = tuple(each for each in formats if each.plain and not (odd and any(each.chroma)))
    if not formats:
        raise FfmpegError(
            f"this ffmpeg cannot encode {name}, which needs {' or '.join(chosen.encoders)}; install an ffmpeg that has it, or "
            f"choose another codec with --codec; {target.suffix} files take {', '.join(container.codecs)}"
        )
    pixels = min(formats, key=lambda each: _loss(source, each))
    return Encoding(name, chosen, encoder, pixels, chosen.crf if crf is None else crf, container)


def lost(source: PixelFormat, encoding: Encoding) -> str:
    """Return a sentence about what the encoder cannot keep of the pixels, or ""."""
    depth, chroma, _, _, _ = _loss(source, encoding.pixels)
    changes = [f"{source.depth} bits become {encoding.pixels.depth}"] if depth else []
    changes += ["colour has a lower resolution"] if chroma else []
    if not changes:
        return ""
    return f"{' and '.join(changes)}, because {encoding.encoder} cannot store {source.name}; --codec ffv1 (.mkv, .mov) keeps it"


def check_codec(name: str) -> str:
    """Return why there is no codec of this name, or ""."""
    return "" if name in CODECS else f"must be one of {', '.join(CODECS)}{did_you_mean(name, CODECS)}; got {name!r}"


def _loss(source: PixelFormat, pixels: PixelFormat) -> tuple[int, int, bool, int, int]:
    """Return what is lost by storing pixels otherwise: bits, resolution of colour; then what else differs."""
    coarser = sum(max(0, after - before) for before, after in zip(source.chroma, pixels.chroma, strict=True))
    finer = sum(max(0, before - after) for before, after in zip(source.chroma, pixels.chroma, strict=True))
    return max(0, source.depth - pixels.depth), coarser, source.rgb != pixels.rgb, finer, max(0, pixels.depth - source.depth)


def _elsewhere(name: str) -> str:
    suffixes = [suffix for suffix, container in CONTAINERS.items() if name in container.codecs]
    return f"; write {' or '.join(suffixes)} for it"
