"""Registering and listing models by name."""

import fnmatch
import functools
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from restorekit.checkpoints import Originals, originals
from restorekit.parts import Registry
from restorekit.provenance import PretrainedConfig

if TYPE_CHECKING:
    from restorekit.network import RestorationNetwork

Builder = Callable[..., "RestorationNetwork"]
BuilderT = TypeVar("BuilderT", bound=Builder)
DEFAULT_MODELS = {"denoise": "nafnet_tiny.denoise", "deblur": "mprnet_tiny.deblur", "derain": "nafnet_tiny.derain"}  # bundled
HOME = "restorekit.models"  # the package whose modules are discovered


@dataclass(frozen=True)
class ModelEntry:
    """A registered model.

    Attributes:
        builder: function that returns a new model.
        pretrained: its weights by tag; the first is the default.
        parameters: how many parameters the model has by default, if this is known without building it.
    """

    builder: Builder
    pretrained: Mapping[str, PretrainedConfig]
    parameters: int | None = None


architectures: Registry[ModelEntry] = Registry("model", HOME)


def register_model(
    name: str,
    *,
    pretrained: Mapping[str, PretrainedConfig] | None = None,
    checkpoints: Originals | None = None,
    parameters: int | None = None,
) -> Callable[[BuilderT], BuilderT]:
    """Return a decorator that registers a function that builds a model.

    Args:
        name: name of the architecture, without a dot (a dot separates the tag).
        pretrained: its weights by tag; the first is the default.
        checkpoints: how checkpoints of the original authors are recognised, and their names. Variants whose functions call this
            builder load and write the same names.
        parameters: how many parameters the model has by default; without it, ``restorekit models`` must build the model.

    Raises:
        ValueError: if the name is taken or contains a dot, or names in checkpoints depend on an argument the builder lacks.
    """
    if "." in name:
        raise ValueError(f"a model's name must not contain a dot, which separates the tag of its weights; got {name!r}")

    def decorator(builder: BuilderT) -> BuilderT:
        recorded = builder if checkpoints is None else _recording(name, builder, checkpoints)
        architectures.add(name, ModelEntry(recorded, dict(pretrained or {}), parameters), definition=builder)
        if checkpoints is not None:
            originals.add(name, checkpoints, definition=builder)
        return builder if isinstance(builder, type) else recorded

    return decorator


def _recording(name: str, builder: BuilderT, checkpoints: Originals) -> BuilderT:
    """Return a builder whose models record all the arguments that they were built from."""
    signature = inspect.signature(builder)
    unknown = [argument for argument in inspect.signature(checkpoints.names).parameters if argument not in signature.parameters]
    if unknown:
        raise ValueError(f"the checkpoint names of {name!r} depend on {', '.join(unknown)}, which its builder does not take")

    @functools.wraps(builder)
    def build(*args: Any, **kwargs: Any) -> Any:
        model = builder(*args, **kwargs)
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        model.family = {"architecture": name, "arguments": bound.arguments}
        return model

    return cast(BuilderT, build)


def built_in() -> dict[str, Builder]:
    """Return the functions of this package that build models, by registered name."""
    builders = {name: architectures.get(name).builder for name in architectures}
    return {name: builder for name, builder in builders.items() if builder.__module__.startswith(f"{HOME}.")}


def list_models(
    filter: str = "", *, pretrained: bool = False, task: str | None = None, commercial_use: bool | None = None
) -> list[str]:
    """Return the names of registered models, in natural order.

    Args:
        filter: pattern with ``*`` and ``?``; all names if empty.
        pretrained: whether to list sets of weights, as ``arch.tag``, rather than architectures.
        task: only models with weights for this task (``"denoise"``, ``"deblur"``, ``"derain"``).
        commercial_use: only models with weights whose licence allows (True) or forbids (False) commercial use.

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
