"""restorekit: image restoration networks out of composable parts."""

from restorekit import inference, metrics, models
from restorekit.checkpoint import CheckpointError, load_weights
from restorekit.composition import compose
from restorekit.inference import restore
from restorekit.model import RestorationModel
from restorekit.parts import ConfigError
from restorekit.registry import (
    create_block,
    create_stage,
    list_blocks,
    list_stages,
    register_activation,
    register_block,
    register_connector,
    register_stage,
)
from restorekit.stages import MultiStage, Stage, StageSpec, WiringError
from restorekit.zoo import create_model, list_models, register_model

__version__ = "0.1.0"

__all__ = [
    "CheckpointError",
    "ConfigError",
    "MultiStage",
    "RestorationModel",
    "Stage",
    "StageSpec",
    "WiringError",
    "compose",
    "create_block",
    "create_model",
    "create_stage",
    "inference",
    "list_blocks",
    "list_models",
    "list_stages",
    "load_weights",
    "metrics",
    "models",
    "register_activation",
    "register_block",
    "register_connector",
    "register_model",
    "register_stage",
    "restore",
]
