"""Models: one file per paper, discovered automatically. Each builder is available here by its name, such as ``mprnet``."""

from typing import TYPE_CHECKING

from restorekit.models._building import config_of, description_of, metadata_of, model_from_config
from restorekit.models._factory import create_model, fetch_weights, full_name, model_from_checkpoint, pretrained_config
from restorekit.models._registry import DEFAULT_MODELS, Builder, ModelEntry, architectures, built_in, list_models, register_model

__all__ = [
    "DEFAULT_MODELS",
    "ModelEntry",
    "architectures",
    "config_of",
    "create_model",
    "description_of",
    "fetch_weights",
    "full_name",
    "list_models",
    "metadata_of",
    "model_from_checkpoint",
    "model_from_config",
    "pretrained_config",
    "register_model",
]

if TYPE_CHECKING:

    def __getattr__(name: str) -> Builder: ...

else:
    globals().update(built_in())
    __all__.extend(built_in())
    __dir__ = __all__.copy
