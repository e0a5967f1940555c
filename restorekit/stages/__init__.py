"""Stages: sub-networks that declare what they take and give, and the wrapper that runs them in a row."""

import importlib
import pkgutil

from restorekit.errors import WiringError
from restorekit.stages._base import Level, Stage, StageSpec
from restorekit.stages._config import NOT_DATA, SHARED
from restorekit.stages._fusion import ConcatFusion, CrossStageFeatureFusion, NoFusion, SumFusion
from restorekit.stages._hinet import HINetStage
from restorekit.stages._maxim import MAXIMStage, mixing_sizes
from restorekit.stages._multi import MultiStage
from restorekit.stages._orsnet import ORSNetStage
from restorekit.stages._timm_unet import TimmUNetStage
from restorekit.stages._transition import Connection, Handover, Transition
from restorekit.stages._unet import UNetStage

__all__ = [
    "NOT_DATA",
    "SHARED",
    "ConcatFusion",
    "Connection",
    "CrossStageFeatureFusion",
    "HINetStage",
    "Handover",
    "Level",
    "MAXIMStage",
    "MultiStage",
    "NoFusion",
    "ORSNetStage",
    "Stage",
    "StageSpec",
    "SumFusion",
    "TimmUNetStage",
    "Transition",
    "UNetStage",
    "WiringError",
    "mixing_sizes",
]

for module in pkgutil.iter_modules(__path__):  # so that the parts of every file are registered, named above or not
    importlib.import_module(f"{__name__}.{module.name}")
