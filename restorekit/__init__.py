"""restorekit: image restoration networks out of composable parts."""

from restorekit import inference, metrics, models, publish
from restorekit.checkpoints import load_weights
from restorekit.composition import compose
from restorekit.errors import CheckpointError, ConfigError, RestorekitError, WiringError
from restorekit.inference import restore
from restorekit.models import create_model, list_models, register_model
from restorekit.network import RestorationNetwork
from restorekit.parts import (
    create_block,
    create_stage,
    list_blocks,
    list_stages,
    register_activation,
    register_block,
    register_connector,
    register_stage,
)
from restorekit.stages import MultiStage, Stage, StageSpec

__version__ = "0.1.0"

__all__ = [
    "CheckpointError",
    "ConfigError",
    "MultiStage",
    "RestorationNetwork",
    "RestorekitError",
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
    "publish",
    "register_activation",
    "register_block",
    "register_connector",
    "register_model",
    "register_stage",
    "restore",
]
