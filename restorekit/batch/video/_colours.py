"""The colours of a video: which of its tags are kept, and how it is converted to RGB and back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from restorekit.batch.video._ffmpeg import FfmpegError

SCALER = "flags=bicubic+accurate_rnd+full_chroma_int"  # the default conversion to RGB and back darkens
HD = 720  # rows from which on players take untagged videos for BT.709
MATRICES = {
    "bt709": "bt709",
    "fcc": "fcc",
    "smpte170m": "bt601",
    "bt470bg": "bt601",
    "smpte240m": "smpte240m",
    "bt2020nc": "bt2020",
}  # name in ffprobe -> name in ffmpeg's scaler
HDR = {"smpte2084": "PQ", "arib-std-b67": "HLG"}
TONE_MAPPING = "zscale=t=linear:npl=100,format=gbrpf32le,tonemap=hable,zscale=p=bt709:t=bt709:m=bt709:r=tv,format=yuv420p10le"
TAGS = {
    "color_primaries": "color_primaries",
    "color_transfer": "color_trc",
    "color_space": "colorspace",
    "color_range": "range",
}  # name in ffprobe -> name in ffmpeg's filter setparams
UNKNOWN = "unknown"  # is set like a tag, because the scaler of newer versions of ffmpeg would tag an untagged video
GAMMAS = {"bt470m": "gamma22", "bt470bg": "gamma28"}  # transfers, name in ffprobe -> name in ffmpeg's options
UNTAGGED = ("unknown", "unspecified", "reserved", "gbr")


@dataclass(frozen=True)
class Colours:
    """How the numbers of a video encode colours.

    Attributes:
        matrix: from RGB to YUV, as ffmpeg's scaler names it.
        full: whether numbers use the full range of the bits, or the range of television.
        tags: primaries, transfer, matrix and range as ffmpeg's filter setparams takes them.
    """

    matrix: str
    full: bool
    tags: tuple[tuple[str, str], ...]

    @property
    def to_rgb(self) -> str:
        """The filter that converts to RGB."""
        return f"scale={SCALER}:in_color_matrix={self.matrix}:in_range={self._range}"

    @property
    def from_rgb(self) -> str:
        """The filter that converts from RGB."""
        return f"scale={SCALER}:out_color_matrix={self.matrix}:out_range={self._range}"

    @property
    def tagging(self) -> str:
        """The filter that sets the tags."""
        return "setparams=" + ":".join(f"{name}={value}" for name, value in self.tags)

    @property
    def options(self) -> list[str]:
        """Options that tag a copied stream, since QuickTime files, which some parts are, do not store all tags."""
        tags = dict(self.tags)
        tags["color_trc"] = GAMMAS.get(tags["color_trc"], tags["color_trc"])
        tags["color_range"] = tags.pop("range")
        known = [(name, value) for name, value in tags.items() if value != UNKNOWN]
        return [word for name, value in known for word in (f"-{name}", value)]

    @property
    def _range(self) -> str:
        return "pc" if self.full else "tv"


def colours_of(stream: Mapping[str, Any], *, rgb: bool, height: int) -> Colours:
    """Return the colours of a video.

    Args:
        stream: what ffprobe reports about it.
        rgb: whether it stores RGB.
        height: its rows.

    Raises:
        FfmpegError: if it is HDR, or ffmpeg cannot convert its colours.
    """
    transfer, matrix = stream.get("color_transfer", "unknown"), stream.get("color_space", "unknown")
    vision = any("DOVI" in data.get("side_data_type", "") for data in stream.get("side_data_list", []))
    if transfer in HDR or vision:
        kind = HDR.get(transfer, "Dolby Vision")
        raise FfmpegError(
            f"it is HDR ({kind}), and networks are trained on standard dynamic range; convert it first: ffmpeg -i INPUT -vf "
            f"{TONE_MAPPING} -c:a copy -crf 12 OUTPUT"
        )
    if matrix not in MATRICES and matrix not in UNTAGGED:
        raise FfmpegError(
            f"its colours are stored by the matrix {matrix}, which ffmpeg's scaler cannot convert; convert it first: ffmpeg -i "
            "INPUT -vf zscale=m=bt709 -c:a copy -crf 12 OUTPUT"
        )
    tags = {name: UNKNOWN if stream.get(key, UNKNOWN) in UNTAGGED else stream[key] for key, name in TAGS.items()}
    full = not rgb and (stream.get("color_range") == "pc" or stream["pix_fmt"].startswith("yuvj"))
    if rgb:  # unless the output is RGB too
        tags |= {"colorspace": "bt709", "range": "tv"}
    elif full:
        tags["range"] = "pc"
    assumed = "bt709" if rgb or height >= HD else "bt601"
    return Colours(MATRICES.get(matrix, assumed), full, tuple(tags.items()))
