"""Models by name: building, and loading their weights."""

import functools
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from restorekit import checkpoints, composition
from restorekit.checkpoints import hub, originals
from restorekit.errors import CheckpointError
from restorekit.models._building import build, config_in, metadata_of, model_from_config
from restorekit.models._registry import ModelEntry, architectures
from restorekit.parts import did_you_mean
from restorekit.provenance import PretrainedConfig

if TYPE_CHECKING:
    from restorekit.network import RestorationNetwork

HUB, FOLDER = "hf-hub:", "local-dir:"  # prefixes of names that are not registered


def create_model(name: str, pretrained: bool | str | os.PathLike[str] = False, **kwargs: Any) -> "RestorationNetwork":
    """Build a model by name.

    Args:
        name: ``"arch"`` or ``"arch.tag"`` of a registered model, ``"hf-hub:owner/repo[@revision]"``, or ``"local-dir:path"`` for a
            folder in the form of such a repository.
        pretrained: True for the weights of the tag (or of the default tag), a tag, or the path of a checkpoint, with the names of
            this library or of the original authors. Weights that are not on this machine are downloaded and cached.
        **kwargs: passed to the builder unchanged.

    Returns:
        The model, in evaluation mode if it has pretrained weights; its ``pretrained_config`` then states their provenance.

    Raises:
        ValueError: if there is no such model or tag.
        TypeError: if the builder does not take an argument.
        CheckpointError: if the weights are not available or do not fit; if they are not available, it is a
            :class:`restorekit.checkpoints.hub.WeightsError`.

    Example:
        >>> import torch
        >>> model = create_model("mprnet", width=16, unet_step=8, ors_step=8, num_blocks=1)
        >>> model(torch.zeros(1, 3, 16, 24)).shape
        torch.Size([1, 3, 16, 24])
    """
    if name.startswith((HUB, FOLDER)):
        repository = _repository(name)
        model = model_from_config(repository.config, name, **kwargs)
        about, source = None, pretrained
        if pretrained is True:
            about = repository.about
            source = _obtained(name, repository.config, about, built=None if kwargs else model)
    else:
        architecture, _, tag = name.partition(".")
        entry = architectures.get(architecture)
        if tag:
            _config(architecture, entry, tag)  # an unknown tag is an error even if no weights are requested
        about, source = _weights_wanted(architecture, entry, tag, pretrained)
        model = build(architecture, kwargs)
        if about is not None:
            source = _registered(str(source), about, built=None if kwargs else model)
    if isinstance(source, bool) or not source:
        return model
    checkpoints.load_weights(model, source).eval()
    model.pretrained_config = about
    return model


def fetch_weights(name: str, *, trust: bool = False) -> Path:
    """Return the path of weights by name; they are downloaded if they are not on this machine.

    Args:
        name: name of the weights, as for :func:`create_model`.
        trust: download again, and accept weights that differ from those of the first use.

    Raises:
        ValueError: if there is no such model or tag.
        CheckpointError: if they are not available or do not fit.
    """
    if name.startswith((HUB, FOLDER)):
        repository = _repository(name, refresh=trust)
        return _obtained(name, repository.config, repository.about, trust=trust)
    name = full_name(name)
    return _registered(name, pretrained_config(name), trust=trust)


def full_name(name: str) -> str:
    """Return ``"arch.tag"`` for ``"arch"``, with the default tag; a full name is checked and returned.

    Raises:
        ValueError: if there is no such model or tag.
    """
    if name.startswith((HUB, FOLDER)):
        return name
    architecture, _, tag = name.partition(".")
    entry = architectures.get(architecture)
    _config(architecture, entry, tag)
    return f"{architecture}.{tag or next(iter(entry.pretrained))}"


def pretrained_config(name: str) -> PretrainedConfig:
    """Return the config of a set of weights, by a name for :func:`create_model`; ``"arch"`` has the default tag.

    Raises:
        ValueError: if there is no such model or tag.
        WeightsError: if it names a repository that cannot be read.
    """
    if name.startswith((HUB, FOLDER)):
        return _repository(name).about
    architecture, _, tag = name.partition(".")
    entry = architectures.get(architecture)
    return _config(architecture, entry, tag)


def model_from_checkpoint(path: str | os.PathLike[str]) -> tuple["RestorationNetwork", dict[str, str]]:
    """Build the model that a checkpoint belongs to, and load the checkpoint.

    A safetensors file that this library wrote states its model, and so does the state dict of a model that was built by name or is
    composed of registered parts, also in a file of ``torch.save``. For a checkpoint of the original authors, the architecture and
    its arguments are inferred from names and shapes. Wrappers and prefixes are found as :func:`restorekit.load_weights` does.

    Returns:
        The model, in evaluation mode, and the metadata for :func:`restorekit.checkpoints.save_weights`.

    Raises:
        CheckpointError: if the file cannot be read, or belongs to no registered model.
    """
    metadata = checkpoints.read_metadata(path)
    states = checkpoints.read_states(path)
    if not ("architecture" in metadata or "composition" in metadata):
        metadata = next((found for state in states if (found := _description(state))), {})
    for recognise in (_inferred, _as_registered):
        metadata = metadata or next((known for state in states if (known := recognise(state))), {})
    if metadata:
        model = model_from_config(config_in(metadata, path), str(path))
        checkpoints.load_best(model, states)
        return model.eval(), metadata
    first = states[0].state
    recognised = (name for name in originals if originals.get(name).infer_arguments is not None)
    raise CheckpointError(
        f"{path} does not belong to a registered model: {len(first)} tensors, starting with {', '.join(list(first)[:3])}; "
        f"models whose checkpoints are recognised: {', '.join(recognised)}; if you know the model, create_model(name, "
        "pretrained=path, ...) loads the file into it"
    )


def _description(found: "checkpoints.StateDict") -> dict[str, str]:
    """Return how the first network in a state dict is built, as metadata; empty if it does not say."""
    for text in found.descriptions.values():
        try:
            metadata = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(metadata, dict) and all(isinstance(value, str) for value in metadata.values()):
            return metadata
    return {}


def _inferred(found: "checkpoints.StateDict") -> dict[str, str]:
    """Return architecture and arguments of the model that weights under the authors' names belong to; empty if there is none."""
    for prefix in checkpoints.common_prefixes(found.state):
        state = found.under(prefix).state
        for architecture in originals:
            arguments = originals.get(architecture).infer(state)
            if arguments is not None:
                return {"architecture": architecture, "arguments": json.dumps(arguments)}
    return {}


def _as_registered(found: "checkpoints.StateDict") -> dict[str, str]:
    """Return the architecture that has, without arguments, the names and shapes of weights; empty if there is none."""
    for prefix in checkpoints.common_prefixes(found.state):
        shapes = {name: tensor.shape for name, tensor in found.under(prefix).state.items()}
        total = sum(shape.numel() for shape in shapes.values())
        for architecture in architectures:
            parameters = architectures.get(architecture).parameters
            if parameters is not None and parameters <= total <= 1.01 * parameters:  # in a file, what is shared is there twice
                network = composition.sketched(functools.partial(build, architecture, {}))
                if {name: tensor.shape for name, tensor in network.state_dict().items()} == shapes:
                    return {"architecture": architecture, "arguments": "{}"}
    return {}


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


def _weights_wanted(
    architecture: str, entry: ModelEntry, tag: str, pretrained: bool | str | os.PathLike[str]
) -> tuple[PretrainedConfig | None, bool | str | os.PathLike[str]]:
    """Return the config of the requested weights and their name; or None and the path of a file, or False."""
    if pretrained is False:
        return None, False
    if pretrained is not True and not (isinstance(pretrained, str) and _is_tag(pretrained)):
        return None, pretrained
    if isinstance(pretrained, str):
        if tag and tag != pretrained:
            raise ValueError(f"two tags for {architecture!r}: {tag!r} in the name, {pretrained!r} as pretrained")
        tag = pretrained
    about = _config(architecture, entry, tag)
    return about, full_name(f"{architecture}.{tag}" if tag else architecture)


def _repository(name: str, *, refresh: bool = False) -> hub.Repository:
    if name.startswith(FOLDER):
        return hub.Repository.open_folder(Path(name.removeprefix(FOLDER)))
    return hub.Repository.open(name, refresh=refresh)


def _registered(name: str, about: PretrainedConfig, *, trust: bool = False, built: "RestorationNetwork | None" = None) -> Path:
    """Return the path of weights of a registered model, as :func:`_obtained` does."""
    return _obtained(name, {"architecture": name.partition(".")[0], "arguments": {}}, about, trust=trust, built=built)


def _obtained(
    name: str,
    config: Mapping[str, Any],
    about: PretrainedConfig,
    *,
    trust: bool = False,
    built: "RestorationNetwork | None" = None,
) -> Path:
    """Return the path of weights, from this machine or from a source in ``about``, checked by loading them into the model.

    Args:
        name: name of the weights.
        config: how their model is built.
        about: where they are.
        trust: download again, and accept weights that differ from those of the first use.
        built: the model, if it was built already; its weights may change.
    """
    here = hub.in_place(about)
    if here is not None:
        return here

    def convert(checkpoint: Path, target: Path) -> None:
        model = built if built is not None else model_from_config(config, name)
        checkpoints.save_weights(checkpoints.load_weights(model, checkpoint), target, metadata_of(config))

    return hub.obtain(name, about, convert, config, trust=trust).path


def _is_tag(text: str) -> bool:
    return re.fullmatch(r"[\w-]+", text) is not None
