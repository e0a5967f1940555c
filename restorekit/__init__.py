"""restorekit: image restoration networks from composable parts."""

from typing import TYPE_CHECKING

from restorekit._lazy import lazy

if TYPE_CHECKING:
    from restorekit import (
        batch,
        blocks,
        checkpoints,
        composition,
        data,
        errors,
        evaluate,
        export,
        images,
        inference,
        inspection,
        losses,
        metrics,
        models,
        network,
        ops,
        parts,
        provenance,
        publish,
        stages,
        testing,
        train,
    )
    from restorekit.checkpoints import load_weights
    from restorekit.composition import compose
    from restorekit.errors import CheckpointError, ConfigError, RestorekitError, WiringError
    from restorekit.inference import restore
    from restorekit.models import create_model, list_models, register_model
    from restorekit.network import Condition, ImageSpec, RestorationNetwork
    from restorekit.parts import (
        Shared,
        create_block,
        create_stage,
        list_blocks,
        list_connectors,
        list_stages,
        load_parts,
        register_activation,
        register_block,
        register_connector,
        register_stage,
    )
    from restorekit.stages import MultiStage, Stage, StageSpec

__version__ = "0.1.0"

__all__ = [
    "CheckpointError",
    "Condition",
    "ConfigError",
    "ImageSpec",
    "MultiStage",
    "RestorationNetwork",
    "RestorekitError",
    "Shared",
    "Stage",
    "StageSpec",
    "WiringError",
    "batch",
    "blocks",
    "checkpoints",
    "compose",
    "composition",
    "create_block",
    "create_model",
    "create_stage",
    "data",
    "errors",
    "evaluate",
    "export",
    "images",
    "inference",
    "inspection",
    "list_blocks",
    "list_connectors",
    "list_models",
    "list_stages",
    "load_parts",
    "load_weights",
    "losses",
    "metrics",
    "models",
    "network",
    "ops",
    "parts",
    "provenance",
    "publish",
    "register_activation",
    "register_block",
    "register_connector",
    "register_model",
    "register_stage",
    "restore",
    "stages",
    "testing",
    "train",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy(
        __name__, __all__, ".errors", ".parts", ".models", ".checkpoints", ".composition", ".stages", ".inference", ".network"
    )
