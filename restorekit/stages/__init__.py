"""Stages: sub-networks that declare what they take and give, and the wrapper that runs them in a row."""

import importlib
import pkgutil

from restorekit.stages.base import Level, Stage, StageSpec, WiringError
from restorekit.stages.fusion import ConcatFusion, CrossStageFeatureFusion, NoFusion, SumFusion
from restorekit.stages.hinet import HINetStage
from restorekit.stages.maxim import MAXIMStage
from restorekit.stages.multi import MultiStage
from restorekit.stages.orsnet import ORSNetStage
from restorekit.stages.timm_unet import TimmUNetStage
from restorekit.stages.unet import UNetStage

__all__ = [
    "ConcatFusion",
    "CrossStageFeatureFusion",
    "HINetStage",
    "Level",
    "MAXIMStage",
    "MultiStage",
    "NoFusion",
    "ORSNetStage",
    "Stage",
    "StageSpec",
    "SumFusion",
    "TimmUNetStage",
    "UNetStage",
    "WiringError",
]

for module in pkgutil.iter_modules(__path__):  # so that the parts of every file are registered, named above or not
    importlib.import_module(f"{__name__}.{module.name}")
