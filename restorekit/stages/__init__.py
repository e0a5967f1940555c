"""Stages: sub-networks that declare their inputs and outputs, and the wrapper that runs them in a row."""

from typing import TYPE_CHECKING

from restorekit._lazy import lazy

if TYPE_CHECKING:
    from restorekit.errors import WiringError
    from restorekit.stages._base import Level, Stage, StageSpec
    from restorekit.stages._config import SHARED
    from restorekit.stages._fusion import ConcatFusion, CrossStageFeatureFusion, NoFusion, StateFusion, SumFusion
    from restorekit.stages._hinet import HINetStage
    from restorekit.stages._maxim import MAXIMStage, mixing_sizes
    from restorekit.stages._mimo_unet import MIMOUNetStage
    from restorekit.stages._multi import MultiStage
    from restorekit.stages._orsnet import ORSNetStage
    from restorekit.stages._prenet import PReNetStage
    from restorekit.stages._timm_unet import TimmUNetStage
    from restorekit.stages._transition import Connection, Handover, Transition
    from restorekit.stages._unet import UNetStage

__all__ = [
    "SHARED",
    "ConcatFusion",
    "Connection",
    "CrossStageFeatureFusion",
    "HINetStage",
    "Handover",
    "Level",
    "MAXIMStage",
    "MIMOUNetStage",
    "MultiStage",
    "NoFusion",
    "ORSNetStage",
    "PReNetStage",
    "Stage",
    "StageSpec",
    "StateFusion",
    "SumFusion",
    "TimmUNetStage",
    "Transition",
    "UNetStage",
    "WiringError",
    "mixing_sizes",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy(__name__, __all__)
