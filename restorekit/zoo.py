"""Models by name: registering, listing, building."""

import fnmatch
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor

from restorekit.checkpoint import CheckpointError, load_weights, read_checkpoint, read_metadata
from restorekit.model import RestorationModel
from restorekit.pretrained import PretrainedConfig
from restorekit.registry import Registry, did_you_mean

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
    """Build a registered model.

    Args:
        name: ``"arch"`` or ``"arch.tag"``.
        pretrained: True for the weights of the tag (or of the default tag), a tag, or the path of a checkpoint, in the names of
            this library or of the original authors.
        **kwargs: go to the builder unchanged.

    Returns:
        The model, in evaluation mode if it has pretrained weights.

    Raises:
        ValueError: if there is no such model or tag.
        TypeError: if the builder does not know an argument.
        CheckpointError: if the weights cannot be had or do not fit.

    Example:
        >>> import torch
        >>> model = create_model("mprnet", width=16, unet_step=8, ors_step=8, num_blocks=1)
        >>> model(torch.zeros(1, 3, 16, 24)).shape
        torch.Size([1, 3, 16, 24])
    """
    architecture, _, tag = name.partition(".")
    entry = models.get(architecture)
    if tag:
        _config(architecture, entry, tag)  # an unknown tag is an error whether or not the weights are wanted
    source = _weights_source(architecture, entry, tag, pretrained)
    model = entry.builder(**kwargs)
    return model if source is None else load_weights(model, source).eval()


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
    """Return what is known of a set of weights, by ``"arch.tag"`` or ``"arch"`` (its default tag).

    Raises:
        ValueError: if there is no such model or tag.
    """
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
    import json

    if str(path).endswith(".safetensors") and Path(path).is_file():
        metadata = read_metadata(path)
        if "architecture" in metadata:
            arguments = json.loads(metadata.get("arguments", "{}"))
            return create_model(metadata["architecture"], path, **arguments), metadata
    state = read_checkpoint(path)
    for architecture in models:
        infer = models.get(architecture).infer_arguments
        arguments = None if infer is None else infer(state)
        if arguments is not None:
            model = load_weights(create_model(architecture, **arguments), state).eval()
            return model, {"architecture": architecture, "arguments": json.dumps(arguments)}
    raise CheckpointError(
        f"{path} belongs to no registered model: {len(state)} tensors, from {', '.join(list(state)[:3])}; "
        f"models whose checkpoints are recognised: {', '.join(name for name in models if models.get(name).infer_arguments)}"
    )


def _config(architecture: str, entry: ModelEntry, tag: str) -> PretrainedConfig:
    if not entry.pretrained:
        raise ValueError(f"model {architecture!r} has no pretrained weights; pass the path of a checkpoint as pretrained=")
    if not tag:
        tag = next(iter(entry.pretrained))
    if tag not in entry.pretrained:
        raise ValueError(f"unknown tag {tag!r} of model {architecture!r}{did_you_mean(tag, entry.pretrained)}")
    return entry.pretrained[tag]


def _weights_source(
    architecture: str, entry: ModelEntry, tag: str, pretrained: bool | str | os.PathLike[str]
) -> str | os.PathLike[str] | None:
    """Return the path of the weights that are asked for, or None if none are."""
    if pretrained is False:
        return None
    if pretrained is not True and not (isinstance(pretrained, str) and _is_tag(pretrained)):
        return pretrained
    if isinstance(pretrained, str):
        if tag and tag != pretrained:
            raise ValueError(f"two tags for {architecture!r}: {tag!r} in the name, {pretrained!r} as pretrained")
        tag = pretrained
    config = _config(architecture, entry, tag)
    path = config.bundled_path()
    if path is None:
        raise CheckpointError(
            f"the weights of {architecture} for {config.training_data} are not bundled ({config.licence.name}); get them from "
            f"https://huggingface.co/{config.repository} and pass the path of the file as pretrained="
        )
    return path


def _is_tag(text: str) -> bool:
    return re.fullmatch(r"[\w-]+", text) is not None


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]
