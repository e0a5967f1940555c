"""Restoring files: pictures, folders of them, videos."""

from restorekit.batch._jobs import Job, Problem, left_out, plan_jobs, shard, suffix_of_format
from restorekit.batch._large import LARGE, can_go_by_rows, restore_by_rows
from restorekit.batch._pipeline import Outcome, restore_files
from restorekit.batch._report import ReportFile, check_apart
from restorekit.batch.video import FfmpegError, VideoOptions, probe, restore_video

__all__ = [
    "LARGE",
    "FfmpegError",
    "Job",
    "Outcome",
    "Problem",
    "ReportFile",
    "VideoOptions",
    "can_go_by_rows",
    "check_apart",
    "left_out",
    "plan_jobs",
    "probe",
    "restore_by_rows",
    "restore_files",
    "restore_video",
    "shard",
    "suffix_of_format",
]

__dir__ = __all__.copy
