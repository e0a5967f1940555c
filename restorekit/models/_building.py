"""Building a model from its description as plain data, and describing a model as plain data."""

import json
import os
import reprlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from restorekit import composition, stages
from restorekit.checkpoints.hub import checked_config
from restorekit.errors import CheckpointError
from restorekit.models._registry import architectures
from restorekit.parts import origins_of

if TYPE_CHECKING:
    from restorekit.network import RestorationNetwork

CONFIG_KEYS = ("architecture", "arguments", "composition", "requires")  # that describe how a model is built


def build(architecture: str, arguments: Mapping[str, Any]) -> "RestorationNetwork":
    """Build a registered model and record its name and arguments in it."""
    model = architectures.get(architecture).builder(**arguments)
    model.recipe = {"architecture": architecture, "arguments": dict(arguments)}
    return model


def model_from_config(config: Mapping[str, Any], origin: str, **kwargs: Any) -> "RestorationNetwork":
    """Build the model that the config of a repository describes.

    Args:
        config: plain data, with ``architecture`` and ``arguments``, or with ``composition``.
        origin: where the config comes from, for error messages.
        **kwargs: arguments that replace those of the config.

    Raises:
        CheckpointError: if it names an unregistered model, or arguments that its builder does not take, or is too large.
    """
    arguments = {key: _frozen(value) for key, value in config.get("arguments", {}).items()}
    try:
        if "composition" in config:
            return composition.compose({**config["composition"], **kwargs})
        return composition.bounded(lambda: build(config["architecture"], arguments | kwargs))
    except (ValueError, TypeError, ArithmeticError) as error:  # the last for sizes of zero
        origins = ", ".join(map(ascii, config.get("requires", ())))
        advice = f"; its parts come from {origins}: install the package, or load the file, with --parts or restorekit.load_parts"
        raise CheckpointError(
            f"{origin} describes a model that cannot be built here: {error}{advice if origins else ''}"
        ) from error


def config_of(model: "RestorationNetwork") -> dict[str, Any]:
    """Return plain data from which :func:`model_from_config` builds a model of the same kind.

    If parts are defined outside this library, ``requires`` names their packages and files.

    Raises:
        ValueError: if the model was neither built by name from plain data nor composed of registered parts.
    """
    config = _described(model)
    origins = origins_of(config, architectures)
    return config | ({"requires": origins} if origins else {})


def _described(model: "RestorationNetwork") -> dict[str, Any]:
    if model.recipe is None and isinstance(model, stages.MultiStage):
        return {"composition": model.config}
    if model.recipe is None:
        raise ValueError(
            f"this {type(model).__name__} was not built by create_model, so it cannot be built again by name; register a "
            "function that builds it with register_model, and create the model by that name"
        )
    try:
        return json.loads(json.dumps(dict(model.recipe)))
    except TypeError as error:
        raise ValueError(
            f"the arguments of {model.recipe['architecture']} are not plain data ({error}); register a variant"
        ) from error


def metadata_of(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the metadata of a safetensors file for a model that is built from a config."""
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items() if key in CONFIG_KEYS}


def description_of(model: "RestorationNetwork") -> dict[str, str]:
    """Return the metadata of a safetensors file for a model.

    Raises:
        ValueError: if the model was neither built by name from plain data nor composed of registered parts.
    """
    return metadata_of(config_of(model))


def config_in(metadata: Mapping[str, str], path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the config that :func:`metadata_of` turned into metadata."""
    config: dict[str, Any] = {}
    for key in CONFIG_KEYS:
        text = metadata.get(key)
        if text is None:
            continue
        try:
            config[key] = text if key == "architecture" else json.loads(text)
        except (ValueError, RecursionError) as error:
            raise CheckpointError(
                f"{path} does not say how its model is built: {key!r} in its metadata is {reprlib.repr(text)}, which is not JSON; "
                "if you know the model, create_model(name, pretrained=path) loads the file without them"
            ) from error
    return checked_config(config, f"{path} (its metadata)")


def _frozen(value: Any) -> Any:
    """Return plain data with tuples in place of lists: JSON has no tuples, but default values do."""
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
