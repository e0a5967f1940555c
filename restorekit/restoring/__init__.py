"""Restoring files: pictures, folders of them, videos."""

from restorekit.restoring.files import Outcome, restore_files
from restorekit.restoring.network import Restorer, Settings
from restorekit.restoring.plan import Job, Problem, plan_jobs
from restorekit.restoring.video import FfmpegError, restore_video

__all__ = ["FfmpegError", "Job", "Outcome", "Problem", "Restorer", "Settings", "plan_jobs", "restore_files", "restore_video"]
