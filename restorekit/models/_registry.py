"""Models by name: registering and listing."""

import fnmatch
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from torch import Tensor

from restorekit.network import RestorationNetwork
from restorekit.parts import Registry
from restorekit.provenance import PretrainedConfig

Builder = Callable[..., RestorationNetwork]
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


architectures: Registry[ModelEntry] = Registry("model")


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
        architectures.add(name, ModelEntry(builder, dict(pretrained or {}), infer_arguments))
        return builder

    return decorator


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
    for architecture in architectures:
        configs = {
            f"{architecture}.{tag}": config
            for tag, config in architectures.get(architecture).pretrained.items()
            if task in (None, config.task) and commercial_use in (None, config.licence.commercial_use)
        }
        if pretrained:
            names += list(configs)
        elif configs or (task is None and commercial_use is None):
            names.append(architecture)
    return sorted((name for name in names if not filter or fnmatch.fnmatchcase(name, filter)), key=_natural)


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]
