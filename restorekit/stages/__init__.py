"""Stages: sub-networks that declare what they take and give, and the wrapper that runs them in a row."""

from restorekit.stages.base import Level, Stage, StageSpec, WiringError
from restorekit.stages.fusion import CrossStageFeatureFusion
from restorekit.stages.multi import MultiStage
from restorekit.stages.orsnet import ORSNetStage
from restorekit.stages.unet import UNetStage

__all__ = [
    "CrossStageFeatureFusion",
    "Level",
    "MultiStage",
    "ORSNetStage",
    "Stage",
    "StageSpec",
    "UNetStage",
    "WiringError",
]
