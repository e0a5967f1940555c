"""restorekit: image restoration networks out of composable parts."""

from restorekit import models as _models  # registers the models
from restorekit.checkpoint import CheckpointError, load_weights
from restorekit.model import RestorationModel
from restorekit.registry import (
    create_block,
    create_stage,
    list_blocks,
    list_stages,
    register_block,
    register_connector,
    register_stage,
)
from restorekit.stages import MultiStage, Stage, StageSpec, WiringError
from restorekit.zoo import create_model, list_models, register_model

__version__ = "0.1.0"
