"""Restoring videos: ffmpeg, a separate program, decodes and encodes them through pipes.

It is a program and not a library because PyAV, the library, comes with x264 and x265, which are under the GPL.
"""

from restorekit.batch.video._codecs import CODECS, VIDEO_SUFFIXES
from restorekit.batch.video._ffmpeg import FfmpegError
from restorekit.batch.video._options import VideoOptions
from restorekit.batch.video._probe import Video, probe
from restorekit.batch.video._restore import is_video_comparison, restore_video, video_comparison_path

__all__ = [
    "CODECS",
    "VIDEO_SUFFIXES",
    "FfmpegError",
    "Video",
    "VideoOptions",
    "is_video_comparison",
    "probe",
    "restore_video",
    "video_comparison_path",
]

__dir__ = __all__.copy
