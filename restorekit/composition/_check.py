"""Checking a composition before anything is built."""

import inspect
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from restorekit.errors import ConfigError
from restorekit.parts import (
    Argument,
    alternatives,
    arguments_of,
    did_you_mean,
    in_words,
    matches,
    part_kind,
    registry_of,
    signature_of,
    takes_list,
)
from restorekit.stages import SHARED, MultiStage


def check_config(config: Mapping[str, Any]) -> None:
    """Raise a :class:`ConfigError` that says where, if a composition has unknown keys or names, or values of wrong types."""
    shared = config.get(SHARED, {})
    if not isinstance(shared, Mapping):
        raise ConfigError(f"{SHARED} must be a mapping of names to activations; got {shared!r}")
    for name, part in shared.items():
        if isinstance(part, str) and part.startswith("@"):
            raise ConfigError(f"{SHARED}.{name} must be an activation itself, not the name of a shared one; got {part!r}")
        _check_part("activation", part, f"{SHARED}.{name}", ())
    known = {"stages": Any, SHARED: Any} | {name: hint for name, hint, _ in network_arguments()}
    _check_arguments(config, known, "", "a composition", tuple(shared))
    stages = config.get("stages")
    if not isinstance(stages, (list, tuple)) or not stages:
        raise ConfigError(f"stages must be a list of at least one stage; got {stages!r}")
    for i, stage in enumerate(stages):
        _check_part("stage", stage, f"stages[{i}]", tuple(shared))


def _check_part(kind: str, part: Any, path: str, shared: Sequence[str]) -> None:
    if isinstance(part, str) and part.startswith("@") and kind == "activation":
        if part[1:] not in shared:
            raise ConfigError(f"{path}: {part!r} is not under {SHARED!r}{did_you_mean(part[1:], shared)}")
        return
    if isinstance(part, str):
        part = {"name": part}
    if not isinstance(part, Mapping) or not isinstance(part.get("name"), str):
        raise ConfigError(f"{path} must be the name of a {kind}, or a mapping with a 'name' and arguments; got {part!r}")
    name, registry = part["name"], registry_of(kind)
    if name not in registry:
        raise ConfigError(f"{path}: unknown {registry.kind} {name!r}{did_you_mean(name, registry)}")
    given = {key: value for key, value in part.items() if key != "name"}
    arguments = arguments_of(kind, name)
    _check_arguments(given, {argument.name: argument.hint for argument in arguments}, path, f"{kind} {name!r}", shared)
    missing = [
        argument.name for argument in arguments if argument.default is inspect.Parameter.empty and argument.name not in given
    ]
    if missing:
        raise ConfigError(f"{path}: {kind} {name!r} needs {' and '.join(map(repr, missing))}")


def _check_arguments(given: Mapping[str, Any], known: Mapping[str, Any], path: str, owner: str, shared: Sequence[str]) -> None:
    for key, value in given.items():
        where = f"{path}.{key}" if path else key
        if key not in known:
            raise ConfigError(f"{where}: unknown argument of {owner}{did_you_mean(str(key), known)}")
        kind = part_kind(known[key])
        if kind is None and not matches(value, known[key]):
            if typing.get_origin(known[key]) is Literal:
                raise ConfigError(f"{where}: unknown choice {value!r}{did_you_mean(str(value), typing.get_args(known[key]))}")
            raise ConfigError(f"{where} must be {in_words(known[key])}; got {value!r}")
        if kind is not None and isinstance(value, list) and takes_list(known[key]):
            for i, entry in enumerate(value):
                _check_part(kind, entry, f"{where}[{i}]", shared)
        elif kind is not None and not (value is None and types.NoneType in alternatives(known[key])):
            _check_part(kind, value, where, shared)


def network_arguments() -> list[Argument]:
    """Return the arguments of a composition beside ``stages`` and ``shared``."""
    return [argument for argument in signature_of(MultiStage) if argument.name != "stages"]
