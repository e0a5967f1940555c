"""Models by name: registering, listing, building."""

import fnmatch
import json
import os
import re
import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor

from restorekit import hub
from restorekit.checkpoint import CheckpointError, load_state, load_weights, read_checkpoint, read_metadata, save_weights
from restorekit.composition import compose
from restorekit.hub.repository import checked_config
from restorekit.model import RestorationModel
from restorekit.pretrained import PretrainedConfig
from restorekit.registry import Registry, did_you_mean
from restorekit.stages import MultiStage

Builder = Callable[..., RestorationModel]
BuilderT = TypeVar("BuilderT", bound=Builder)
InferArguments = Callable[[Mapping[str, Tensor]], dict[str, Any] | None]


@dataclass(frozen=True)
class ModelEntry:
    """What is known of a registered model.

    Attributes:
        builder: function that returns a new model.
        pretrained: its weights by tag; the first is the default.
        infer_arguments: tells the builder's arguments from the shapes in a checkpoint of the original authors, or None if
            the checkpoint is another network's.
    """

    builder: Builder
    pretrained: Mapping[str, PretrainedConfig]
    infer_arguments: InferArguments | None = None


models: Registry[ModelEntry] = Registry("model")

CONFIG_KEYS = ("architecture", "arguments", "composition")  # of what a model is built from
HUB, FOLDER = "hf-hub:", "local-dir:"  # prefixes of names that are not registered


def register_model(
    name: str,
    *,
    pretrained: Mapping[str, PretrainedConfig] | None = None,
    infer_arguments: InferArguments | None = None,
) -> Callable[[BuilderT], BuilderT]:
    """Return a decorator that registers a function that builds a model.

    Args:
        name: name of the architecture, without a dot (what follows a dot is a tag).
        pretrained: its weights by tag; the first is the default.
        infer_arguments: tells the arguments from a checkpoint of the original authors.

    Raises:
        ValueError: if the name is taken or holds a dot.
    """
    if "." in name:
        raise ValueError(f"a model's name must not hold a dot, which separates the tag of its weights; got {name!r}")

    def decorator(builder: BuilderT) -> BuilderT:
        models.add(name, ModelEntry(builder, dict(pretrained or {}), infer_arguments))
        return builder

    return decorator


def create_model(name: str, pretrained: bool | str | os.PathLike[str] = False, **kwargs: Any) -> RestorationModel:
    """Build a model by name.

    Args:
        name: ``"arch"`` or ``"arch.tag"`` of a registered model, ``"hf-hub:owner/repo[@revision]"``, or ``"local-dir:path"`` of a
            folder in the form of such a repository.
        pretrained: True for the weights of the tag (or of the default tag), a tag, or the path of a checkpoint, in the names of
            this library or of the original authors. Weights that are not on this machine are fetched, and kept.
        **kwargs: go to the builder unchanged.

    Returns:
        The model, in evaluation mode if it has pretrained weights; its ``pretrained_config`` then says whose they are.

    Raises:
        ValueError: if there is no such model or tag.
        TypeError: if the builder does not know an argument.
        CheckpointError: if the weights cannot be had or do not fit; if they cannot be had it is a
            :class:`restorekit.hub.WeightsError`.

    Example:
        >>> import torch
        >>> model = create_model("mprnet", width=16, unet_step=8, ors_step=8, num_blocks=1)
        >>> model(torch.zeros(1, 3, 16, 24)).shape
        torch.Size([1, 3, 16, 24])
    """
    if name.startswith((HUB, FOLDER)):
        repository = _repository(name)
        model = model_from_config(repository.config, name, **kwargs)
        about = repository.about if pretrained is True else None
        source = _obtained(name, repository.config, repository.about) if pretrained is True else pretrained or None
    else:
        architecture, _, tag = name.partition(".")
        entry = models.get(architecture)
        if tag:
            _config(architecture, entry, tag)  # an unknown tag is an error whether or not the weights are wanted
        about, source = _weights_source(architecture, entry, tag, pretrained)
        model = _build(architecture, kwargs)
    if source is None:
        return model
    load_weights(model, source).eval()
    model.pretrained_config = about
    return model


def fetch_weights(name: str, *, trust: bool = False) -> Path:
    """Return the path of weights by name; they are fetched if they are not on this machine.

    Args:
        name: name of the weights, as :func:`create_model` takes it.
        trust: fetch anew, and accept other weights than those of the first use.

    Raises:
        ValueError: if there is no such model or tag.
        CheckpointError: if they cannot be had or do not fit.
    """
    if name.startswith((HUB, FOLDER)):
        repository = _repository(name, anew=trust)
        return _obtained(name, repository.config, repository.about, trust=trust)
    name = full_name(name)
    config = {"architecture": name.partition(".")[0], "arguments": {}}
    return _obtained(name, config, pretrained_config(name), trust=trust)


def model_from_config(config: Mapping[str, Any], origin: str, **kwargs: Any) -> RestorationModel:
    """Build the model that the config of a repository describes.

    Args:
        config: plain data, with ``architecture`` and ``arguments``, or with ``composition``.
        origin: where it is from, for error messages.
        **kwargs: arguments to use in place of those of the config.

    Raises:
        CheckpointError: if it names what is not registered, or arguments that its builder does not take.
    """
    arguments = {key: _frozen(value) for key, value in config.get("arguments", {}).items()}
    try:
        if "composition" in config:
            return compose({**config["composition"], **kwargs})
        return _build(config["architecture"], arguments | kwargs)
    except (ValueError, TypeError, RuntimeError, ArithmeticError) as error:  # the latter two: of sizes that no tensor can have
        raise CheckpointError(f"{origin} describes a model that cannot be built here: {error}") from error


def config_of(model: RestorationModel) -> dict[str, Any]:
    """Return the plain data that :func:`model_from_config` builds a model of the same kind from.

    Raises:
        ValueError: if the model was neither built by name from arguments that are plain data nor composed of registered parts.
    """
    if model.recipe is None and isinstance(model, MultiStage):
        return {"composition": model.config}
    if model.recipe is None:
        raise ValueError(
            f"this {type(model).__name__} was not built by create_model, so nobody else could build it by name; register a "
            "function that builds it with register_model, and create it by that name"
        )
    try:
        return json.loads(json.dumps(dict(model.recipe)))
    except TypeError as error:
        raise ValueError(
            f"the arguments of {model.recipe['architecture']} are not plain data ({error}); register a variant"
        ) from error


def metadata_of(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the metadata of a safetensors file whose model is built from a config."""
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items() if key in CONFIG_KEYS}


def full_name(name: str) -> str:
    """Return ``"arch.tag"`` for ``"arch"``, with the default tag; a name that is full already is checked and returned.

    Raises:
        ValueError: if there is no such model or tag.
    """
    if name.startswith((HUB, FOLDER)):
        return name
    architecture, _, tag = name.partition(".")
    entry = models.get(architecture)
    _config(architecture, entry, tag)
    return f"{architecture}.{tag or next(iter(entry.pretrained))}"


def list_models(
    filter: str = "", *, pretrained: bool = False, task: str | None = None, commercial_use: bool | None = None
) -> list[str]:
    """Return the names of registered models, in natural order.

    Args:
        filter: pattern with ``*`` and ``?``; all names if empty.
        pretrained: whether to list sets of weights, as ``arch.tag``, rather than architectures.
        task: only those with weights for this task (``"denoise"``, ``"deblur"``, ``"derain"``).
        commercial_use: only those with weights whose licence allows (True) or forbids (False) commercial use.

    Example:
        >>> list_models("mprnet_de*")
        ['mprnet_deblur', 'mprnet_denoise', 'mprnet_derain']
    """
    names = []
    for architecture in models:
        configs = {
            f"{architecture}.{tag}": config
            for tag, config in models.get(architecture).pretrained.items()
            if task in (None, config.task) and commercial_use in (None, config.licence.commercial_use)
        }
        if pretrained:
            names += list(configs)
        elif configs or (task is None and commercial_use is None):
            names.append(architecture)
    return sorted((name for name in names if not filter or fnmatch.fnmatchcase(name, filter)), key=_natural)


def pretrained_config(name: str) -> PretrainedConfig:
    """Return what is known of a set of weights, by a name that :func:`create_model` takes; ``"arch"`` has the default tag.

    Raises:
        ValueError: if there is no such model or tag.
        WeightsError: if it is the name of a repository that cannot be read.
    """
    if name.startswith((HUB, FOLDER)):
        return _repository(name).about
    architecture, _, tag = name.partition(".")
    entry = models.get(architecture)
    return _config(architecture, entry, tag)


def model_from_checkpoint(path: str | os.PathLike[str]) -> tuple[RestorationModel, dict[str, str]]:
    """Build the model that a checkpoint belongs to, and load it.

    A safetensors file that this library wrote says which model it is for; for a checkpoint of the original authors the
    architecture and its arguments are inferred from names and shapes.

    Returns:
        The model, in evaluation mode, and the metadata that :func:`restorekit.checkpoint.save_weights` takes.

    Raises:
        CheckpointError: if the file cannot be read, or belongs to no registered model.
    """
    if str(path).endswith(".safetensors") and Path(path).is_file():
        metadata = read_metadata(path)
        if "architecture" in metadata or "composition" in metadata:
            return load_weights(model_from_config(_config_in(metadata, path), str(path)), path).eval(), metadata
    state = read_checkpoint(path)
    for architecture in models:
        infer = models.get(architecture).infer_arguments
        arguments = None if infer is None else infer(state)
        if arguments is not None:
            model = load_state(create_model(architecture, **arguments), state, str(path)).eval()
            return model, {"architecture": architecture, "arguments": json.dumps(arguments)}
    raise CheckpointError(
        f"{path} belongs to no registered model: {len(state)} tensors, from {', '.join(list(state)[:3])}; "
        f"models whose checkpoints are recognised: {', '.join(name for name in models if models.get(name).infer_arguments)}"
    )


def _config(architecture: str, entry: ModelEntry, tag: str) -> PretrainedConfig:
    if not entry.pretrained:
        raise ValueError(
            f"model {architecture!r} has no pretrained weights; pass the path of a checkpoint as pretrained= "
            "(--weights in the shell)"
        )
    if not tag:
        tag = next(iter(entry.pretrained))
    if tag not in entry.pretrained:
        raise ValueError(f"unknown tag {tag!r} of model {architecture!r}{did_you_mean(tag, entry.pretrained)}")
    return entry.pretrained[tag]


def _weights_source(
    architecture: str, entry: ModelEntry, tag: str, pretrained: bool | str | os.PathLike[str]
) -> tuple[PretrainedConfig | None, str | os.PathLike[str] | None]:
    """Return what is known of the weights that are asked for, and their path; None for what there is not."""
    if pretrained is False:
        return None, None
    if pretrained is not True and not (isinstance(pretrained, str) and _is_tag(pretrained)):
        return None, pretrained
    if isinstance(pretrained, str):
        if tag and tag != pretrained:
            raise ValueError(f"two tags for {architecture!r}: {tag!r} in the name, {pretrained!r} as pretrained")
        tag = pretrained
    about = _config(architecture, entry, tag)
    return about, fetch_weights(f"{architecture}.{tag}" if tag else architecture)


def _build(architecture: str, arguments: Mapping[str, Any]) -> RestorationModel:
    model = models.get(architecture).builder(**arguments)
    model.recipe = {"architecture": architecture, "arguments": dict(arguments)}
    return model


def _repository(name: str, *, anew: bool = False) -> hub.Repository:
    if name.startswith(FOLDER):
        return hub.Repository.open_folder(Path(name.removeprefix(FOLDER)))
    return hub.Repository.open(name, anew=anew)


def _obtained(name: str, config: Mapping[str, Any], about: PretrainedConfig, *, trust: bool = False) -> Path:
    """Return the path of weights, from this machine or from where ``about`` says, checked by loading them into the model."""
    here = hub.in_place(about)
    if here is not None:
        return here

    def convert(checkpoint: Path, target: Path) -> None:
        save_weights(load_weights(model_from_config(config, name), checkpoint), target, metadata_of(config))

    return hub.obtain(name, about, convert, config, trust=trust).path


def _config_in(metadata: Mapping[str, str], path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the config that :func:`metadata_of` made metadata of."""
    config: dict[str, Any] = {}
    for key in CONFIG_KEYS:
        text = metadata.get(key)
        if text is None:
            continue
        try:
            config[key] = text if key == "architecture" else json.loads(text)
        except (ValueError, RecursionError) as error:
            raise CheckpointError(
                f"{path} does not say how its model is built: {key!r} in its metadata is {reprlib.repr(text)}, which is no JSON; "
                "if you know the model, create_model(name, pretrained=path) loads the file without them"
            ) from error
    return checked_config(config, f"{path} (its metadata)")


def _frozen(value: Any) -> Any:
    """Return plain data with tuples for lists: JSON knows no tuples, and a default value is one."""
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


def _is_tag(text: str) -> bool:
    return re.fullmatch(r"[\w-]+", text) is not None


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]
