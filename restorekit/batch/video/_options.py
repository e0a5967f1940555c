"""How a video is written."""

from dataclasses import dataclass

from restorekit.batch.video._codecs import CODECS, check_codec
from restorekit.errors import OptionError
from restorekit.images import DAMAGED


@dataclass(frozen=True, kw_only=True)
class VideoOptions:
    """How videos are written. All fields are checked when the options are created.

    Args:
        codec: a name in ``CODECS``; by default H.264, or VP9 for WebM.
        crf: constant quality, on the scale of the codec: 0 to 51 for h264 and h265, 0 to 63 for vp9 and av1; lower is better and
            larger. By default visually lossless.
        compare: whether to write a second video next to the output, ``NAME.compare.mp4``: the input on the left, the output on the
            right.
        damaged: whether to ``"refuse"`` a video that is truncated or damaged, or to ``"keep"`` the frames that can be read.

    Raises:
        OptionError: if a field is invalid.
    """

    codec: str | None = None
    crf: int | None = None
    compare: bool = False
    damaged: str = "refuse"

    def __post_init__(self) -> None:
        if self.codec is not None and (problem := check_codec(self.codec)):
            raise OptionError("codec", problem)
        if self.damaged not in DAMAGED:
            raise OptionError("damaged", f"must be one of {', '.join(DAMAGED)}; got {self.damaged!r}")
        if self.crf is None:
            return
        without = [name for name, codec in CODECS.items() if codec.crf is None]
        if self.codec in without:
            raise OptionError("crf", f"does not apply to {self.codec}; omit it")
        worst = max(codec.worst for codec in CODECS.values()) if self.codec is None else CODECS[self.codec].worst
        if not 0 <= self.crf <= worst:
            raise OptionError("crf", f"must be from 0 to {worst}; got {self.crf}")
