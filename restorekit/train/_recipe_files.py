"""Reading, merging and writing recipes."""

import dataclasses
import importlib.resources
import json
import re
import tomllib
import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from restorekit.composition import read_config
from restorekit.errors import ConfigError
from restorekit.parts import did_you_mean, in_words, matches
from restorekit.train._recipe import WITHOUT_EFFECT, Recipe

T = TypeVar("T")


def load_recipe(source: str, overrides: Iterable[str] = ()) -> Recipe:
    """Return a recipe with some values replaced.

    Args:
        source: name of a recipe in this package (:func:`list_recipes`), or the path of a ``.toml`` file.
        overrides: ``section.key=value``, the value in TOML; quotes around a text may be left out.

    Raises:
        ConfigError: if there is no such recipe, a key is unknown, or a value is of a wrong type or out of its range; the message
            says which, and what is nearest.

    Example:
        >>> recipe = load_recipe("mprnet_tiny.denoise", ["data.path=photos/", "optimizer.lr=1e-3"])
        >>> recipe.data.path, recipe.optimizer.lr, recipe.run.batch
        ('photos/', 0.001, 8)
    """
    content = _content(source)
    for override in overrides:
        _replace(content, override)
    recipe = recipe_from(content)
    if not isinstance(recipe.model.composition, str) or not recipe.model.composition:
        return recipe
    model = dataclasses.replace(recipe.model, composition=read_config(recipe.model.composition))  # as the file may change
    return dataclasses.replace(recipe, model=model)


def list_recipes() -> list[str]:
    """Return the names of the recipes in this package."""
    return sorted(Path(path.name).stem for path in _folder().iterdir() if path.name.endswith(".toml"))


def recipe_from(content: Mapping[str, Any]) -> Recipe:
    """Return a recipe from plain data.

    Raises:
        ConfigError: as :func:`load_recipe`.
    """
    return _section(Recipe, content, "")


def to_toml(recipe: Recipe) -> str:
    """Return a recipe as TOML, every value spelt out; :func:`load_recipe` reads it back."""
    lines = [f"task = {_toml(recipe.task)}"]
    for section in dataclasses.fields(Recipe):
        values = getattr(recipe, section.name)
        if dataclasses.is_dataclass(values):
            lines += ["", f"[{section.name}]"]
            lines += [f"{key.name} = {_toml(getattr(values, key.name))}" for key in dataclasses.fields(values)]
    return "\n".join(lines) + "\n"


def differences(before: Recipe, now: Recipe) -> list[str]:
    """Return what differs between two recipes and changes the weights, in words."""
    old, new = _flat(before), _flat(now)
    changed = [key for key in new if old[key] != new[key] and not key.startswith(WITHOUT_EFFECT)]
    return [f"{key} (was {_toml(old[key])}, now {_toml(new[key])})" for key in changed]


def _content(source: str) -> dict[str, Any]:
    if not source.endswith(".toml"):
        if Path(source).is_dir():
            raise ConfigError(f"{source} is a folder, not a recipe; give a recipe first: mprnet_tiny.denoise data.path={source}")
        if source not in list_recipes():
            raise ConfigError(f"unknown recipe {source!r}{did_you_mean(source, list_recipes())} The name of a file ends in .toml")
        return tomllib.loads((_folder() / f"{source}.toml").read_text(encoding="utf-8"))
    try:
        return tomllib.loads(Path(source).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{source} cannot be read: {error.strerror}") from error
    except ValueError as error:  # of the parser, and of text that is not UTF-8
        raise ConfigError(f"{source} is not valid TOML: {error}") from error


def _folder() -> Any:
    return importlib.resources.files("restorekit") / "assets" / "recipes"


def _replace(content: dict[str, Any], override: str) -> None:
    """Put the value of an override into the content."""
    path, equals, text = override.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise ConfigError(f"{override!r}: expected section.key=value, such as optimizer.lr=1e-4")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    if not isinstance(value, str) and _hint(keys) is str:
        value = text  # a folder may be called 2024
    for i, key in enumerate(keys[:-1]):
        content = content.setdefault(key, {})
        if not isinstance(content, dict):
            raise ConfigError(f"{override!r}: {'.'.join(keys[: i + 1])} is no mapping")
    content[keys[-1]] = value


def _hint(keys: Sequence[str]) -> Any:
    """Return the annotation of a key, or None if there is none."""
    hint: Any = Recipe
    for key in keys:
        hint = typing.get_type_hints(hint).get(key) if dataclasses.is_dataclass(hint) else None
    return hint


def _section(cls: type[T], content: Mapping[str, Any], path: str) -> T:
    hints = typing.get_type_hints(cls)
    values: dict[str, Any] = {}
    for key, value in content.items():
        where = f"{path}.{key}" if path else key
        if key not in hints:
            raise ConfigError(f"{where}: unknown key{_nearest(key, hints, where)}")
        if dataclasses.is_dataclass(hints[key]):
            if not isinstance(value, Mapping):
                raise ConfigError(f"{where} must be a section with keys; got {value!r}")
        elif not matches(value, hints[key]):
            raise ConfigError(f"{where} must be {in_words(hints[key])}; got {value!r}")
        else:
            values[key] = _typed(value, hints[key])
    for key, hint in hints.items():
        if dataclasses.is_dataclass(hint):
            values[key] = _section(typing.cast(type[Any], hint), content.get(key, {}), key)
    return cls(**values)


def _nearest(key: str, hints: Mapping[str, Any], where: str) -> str:
    """Return the clause of an error message that says what could be meant: another section's key of this name, or a similar one."""
    elsewhere = [path for path in _keys() if path.rpartition(".")[2] == key and path != where]
    return f"; did you mean {' or '.join(map(repr, elsewhere))}?" if elsewhere else did_you_mean(key, hints)


def _keys() -> list[str]:
    """Return all keys of a recipe, with their sections."""
    sections = typing.get_type_hints(Recipe).items()
    return [f"{name}.{key}" for name, hint in sections if dataclasses.is_dataclass(hint) for key in typing.get_type_hints(hint)]


def _typed(value: Any, hint: Any) -> Any:
    """Return a value that matches an annotation in its very type: a float for an integer, where that is allowed."""
    if hint is float:
        return float(value)
    if typing.get_origin(hint) is Sequence:
        return tuple(_typed(entry, typing.get_args(hint)[0]) for entry in value)
    return value


def _flat(recipe: Recipe) -> dict[str, Any]:
    sections = dataclasses.asdict(recipe)
    task = {"task": sections.pop("task")}
    return task | {f"{name}.{key}": value for name, values in sections.items() for key, value in values.items()}


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        keys = (key if re.fullmatch(r"[\w-]+", key, re.ASCII) else json.dumps(key) for key in value)
        return "{ " + ", ".join(f"{key} = {_toml(entry)}" for key, entry in zip(keys, value.values(), strict=True)) + " }"
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(_toml, value)) + "]"
    raise ConfigError(f"{value!r} cannot be written as TOML; leave the key out if its default is meant")
