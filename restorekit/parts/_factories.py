"""Parts as data: converting a name, or a name with arguments, to a factory, and back.

Wherever a stage or a network takes a factory, it also takes the registered name of one (``"cab"``), or a mapping of the name and
arguments (``{"name": "cab", "reduction": 8}``). Anything built from registered parts can be converted back to such data.
"""

import functools
import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Annotated, Any, NamedTuple, Union

from torch import nn

from restorekit.errors import ConfigError
from restorekit.parts._registry import did_you_mean, registry_of


class Shared:
    """A part that is built once, and is then the same module, with the same weights, in all places that take it.

    Where widths or other given arguments differ, it is built once for each. To share a stage, list the same one several times.

    Args:
        part: registered name, mapping with the key ``name`` and arguments, or factory.
        name: its name in a composition; chosen by itself if empty.

    Example:
        >>> make = factory("block", Shared("cab"))
        >>> make(8) is make(8), make(8) is make(4)
        (True, False)
    """

    def __init__(self, part: "Part", name: str = "") -> None:
        self.part, self.name = part, name
        self._built: dict[tuple[Any, ...], nn.Module] = {}

    def build(self, kind: str, *arguments: Any) -> nn.Module:
        """Return the module for the arguments that the library passes."""
        key = (kind, *arguments)
        if key not in self._built:
            self._built[key] = factory(kind, self.part)(*arguments)
        return self._built[key]


Part = str | Mapping[str, Any] | Callable[..., nn.Module] | Shared
BlockLike = Annotated[Part, "block"]  # width -> features to features
StemLike = Annotated[Part, "stem"]  # image channels, width -> image to features
JoinLike = Annotated[Part, "join"]  # width, width of the result -> stem features, attended features to inputs of a stage
SuperviseLike = Annotated[
    Part, "supervise"
]  # width, image channels -> features, image to attended features, restored image or None
FuseLike = Annotated[Part, "fuse"]  # spec of a stage, wanted levels -> encoded, decoded to guidance
HeadLike = Annotated[Part, "head"]  # width, image channels -> features, image to restored image
GuideLike = Annotated[Part, "guide"]  # width -> features, guidance to features
DownsampleLike = Annotated[Part, "downsample"]  # width, width of the result -> features to features of half the size
UpsampleLike = Annotated[Part, "upsample"]  # width, width of the result -> features to features of double the size
MergeLike = Annotated[Part, "merge"]  # width of either, width of the result -> skip, risen features to features
ActivationLike = Annotated[str | Mapping[str, Any] | nn.Module, "activation"]

GIVEN = {  # how many leading arguments the library itself passes to a part of each kind
    "block": 1,
    "guide": 1,
    **dict.fromkeys(("stem", "join", "supervise", "fuse", "head", "downsample", "upsample", "merge"), 2),
    "stage": 0,
    "activation": 0,
}


def factory(kind: str, part: Part) -> Callable[..., Any]:
    """Return the factory of a part that is given by name, by name and arguments, or as a factory.

    Args:
        kind: ``"block"``, ``"stage"`` or a connector's role.
        part: registered name, mapping with the key ``name`` and arguments, factory, or one of these as a :class:`Shared` part.

    Raises:
        ConfigError: if a mapping has no name, or arguments that the part does not take.
        ValueError: if nothing is registered under the name.
        TypeError: if it has another type.

    Example:
        >>> from restorekit.blocks import ChannelAttentionBlock
        >>> factory("block", "cab") is ChannelAttentionBlock
        True
        >>> factory("block", {"name": "cab", "reduction": 2})(8).attention.squeeze.out_channels
        4
    """
    if isinstance(part, str):
        return registry_of(kind).get(part)
    if isinstance(part, Mapping):
        arguments = dict(part)
        if "name" not in arguments:
            raise ConfigError(f"{kind}: a mapping needs the key 'name'; got {', '.join(map(repr, arguments)) or 'nothing'}")
        name = arguments.pop("name")
        make, known = registry_of(kind).get(name), [argument.name for argument in arguments_of(kind, name)]
        for key in arguments:
            if key not in known:
                raise ConfigError(f"{kind} {name!r}: unknown argument {key!r}{did_you_mean(key, known)}")
        return functools.partial(make, **arguments)
    if isinstance(part, Shared):
        return functools.partial(part.build, kind)
    if callable(part) and not isinstance(part, nn.Module):
        return part
    raise TypeError(f"{kind} must be a registered name, a mapping with a name, or a factory; got {type(part).__name__}")


def activation(part: ActivationLike) -> nn.Module:
    """Return an activation: a new one for a name or a mapping; a module is returned as it is, so that parts can share one."""
    if isinstance(part, nn.Module):
        return part
    return factory("activation", part)()


def factories(kind: str, part: Part | Sequence[Part], count: int) -> list[Callable[..., Any]]:
    """Return one factory for each level, from one part for all levels or a list with one per level.

    Args:
        kind: as for :func:`factory`.
        part: a part, or a list of parts, finest level first.
        count: number of levels.

    Raises:
        ConfigError: if the list is too short.
    """
    if isinstance(part, str) or not isinstance(part, Sequence):
        return [factory(kind, part)] * count
    if len(part) < count:
        raise ConfigError(f"{kind} is a list of {len(part)} parts, but there are {count} levels; give one for each, finest first")
    return [factory(kind, entry) for entry in part[:count]]


class Reference(NamedTuple):
    """Stands for a shared part in a description.

    Attributes:
        part: the shared part.
        data: the part itself as data.
    """

    part: Shared
    data: Any


@dataclass(frozen=True)
class Unregistered:
    """Marks a value in a description that cannot be converted to data, and says which, why, and what to do."""

    reason: str


def remember_arguments(part: type[nn.Module]) -> None:
    """Make a class record the arguments that an instance is created with, in its attribute ``description``."""
    make = part.__init__
    signature = inspect.signature(make)

    @functools.wraps(make)
    def remember(self: nn.Module, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        arguments = signature.bind(self, *args, **kwargs).arguments
        for name, parameter in signature.parameters.items():
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                arguments |= arguments.pop(name, {})
        given = dict(list(arguments.items())[1:])
        object.__setattr__(self, "description", _described_arguments(type(self), given))

    part.__init__ = remember  # type: ignore[method-assign]


def describe(value: Any, kind: str | None = None) -> Any:
    """Return an argument of a part as data.

    A factory becomes its registered name, or a mapping of name and arguments if it is a ``functools.partial``
    of a registered one. A module is kept, because it may be shared; a value that cannot be converted becomes
    :class:`Unregistered`.

    Args:
        value: the argument.
        kind: the kind of part that it represents, or None if it is plain data.
    """
    if value is None or isinstance(value, (bool, int, float, str, nn.Module)):
        return value
    if isinstance(value, Shared):
        return Reference(value, describe(value.part, kind))
    if is_dataclass(value) and not isinstance(value, type):
        return {entry.name: getattr(value, entry.name) for entry in fields(value) if getattr(value, entry.name) != entry.default}
    if isinstance(value, Mapping):
        if kind is None or "name" not in value:
            return {key: describe(entry) for key, entry in value.items()}
        return _described_arguments(registry_of(kind).get(value["name"]), value)
    if isinstance(value, Sequence):
        return [describe(entry, kind) for entry in value]
    if kind is not None and isinstance(value, functools.partial) and not value.args:
        name = name_of(kind, value.func)
        described = not isinstance(name, Unregistered) and value.keywords
        return {"name": name} | _described_arguments(value.func, value.keywords) if described else name
    if kind is None:
        return Unregistered(
            f"{value!r}, which is neither data nor used as a part; annotate the argument with its type, such as "
            "restorekit.parts.BlockLike"
        )
    return name_of(kind, value)


def _described_arguments(target: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    kinds = {argument.name: part_kind(argument.hint) for argument in signature_of(target)}
    return {key: describe(value, kinds.get(key)) for key, value in given.items()}


def name_of(kind: str, target: object) -> str | Unregistered:
    """Return the registered name of a class or function among the parts of a kind."""
    registry = registry_of(kind)
    reason = f"{target!r}, which is not a registered {kind}; register it, so that the network can be converted to data"
    return next((name for name in registry if registry.get(name) is target), Unregistered(reason))


class Argument(NamedTuple):
    """An argument of a part, from its signature."""

    name: str
    hint: Any
    default: Any  # inspect.Parameter.empty if there is no default


def arguments_of(kind: str, name: str) -> list[Argument]:
    """Return the arguments that a composition may give to a registered part: all but those that the library passes itself."""
    return signature_of(registry_of(kind).get(name))[GIVEN[kind] :]


def signature_of(target: Callable[..., Any]) -> list[Argument]:
    """Return the named arguments of a class or function."""
    call = inspect.getattr_static(target, "__init__") if isinstance(target, type) else target
    hints = typing.get_type_hints(call, include_extras=True)
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = [p for p in inspect.signature(target).parameters.values() if p.kind in named]
    return [Argument(p.name, hints.get(p.name, Any), p.default) for p in parameters]


def takes_list(hint: Any) -> bool:
    """Return whether an annotation allows a list of parts instead of a part."""
    return any(typing.get_origin(option) is Sequence for option in alternatives(hint))


def part_kind(hint: Any) -> str | None:
    """Return the kind of part that an annotation means, or None if it means plain data."""
    if typing.get_origin(hint) is typing.Annotated:
        return str(hint.__metadata__[0])
    return next((kind for kind in map(part_kind, alternatives(hint)) if kind), None)


def alternatives(hint: Any) -> tuple[Any, ...]:
    """Return the alternatives of a union; for anything else, nothing."""
    return typing.get_args(hint) if typing.get_origin(hint) in (Union, types.UnionType) else ()
