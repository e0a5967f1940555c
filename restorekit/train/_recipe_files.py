"""Reading, merging and writing recipes."""

import importlib.resources
import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import BaseModel

from restorekit._config import checked
from restorekit.composition import read_config
from restorekit.errors import ConfigError
from restorekit.losses import list_losses
from restorekit.parts import did_you_mean
from restorekit.train._recipe import WITHOUT_EFFECT, Recipe


def load_recipe(source: str, overrides: Iterable[str] = ()) -> Recipe:
    """Return a recipe with some values replaced.

    Args:
        source: name of a bundled recipe (:func:`list_recipes`), or the path of a ``.toml`` file.
        overrides: ``section.key=value``, with the value in TOML; quotes around a text may be left out.

    Raises:
        ConfigError: if there is no such recipe, a key is unknown, or a value has a wrong type or is out of range; the message
            says which, and suggests the nearest key.

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
    model = recipe.model.model_copy(update={"composition": read_config(recipe.model.composition)})  # since the file may change
    return recipe.model_copy(update={"model": model})


def list_recipes() -> list[str]:
    """Return the names of the bundled recipes."""
    return sorted(Path(path.name).stem for path in _folder().iterdir() if path.name.endswith(".toml"))


def recipe_from(content: Mapping[str, Any]) -> Recipe:
    """Return a recipe from plain data.

    Raises:
        ConfigError: as :func:`load_recipe`.
    """
    return checked(Recipe, content, nearest=_nearest)


def to_toml(recipe: Recipe) -> str:
    """Return a recipe as TOML with all values; :func:`load_recipe` reads it back.

    Raises:
        ConfigError: if it contains a value that TOML cannot represent.
    """
    try:
        return tomli_w.dumps(recipe.model_dump())
    except (TypeError, RecursionError) as error:
        raise ConfigError(f"the recipe cannot be written as TOML: {error}; omit a key to use its default") from error


def differences(before: Recipe, now: Recipe) -> list[str]:
    """Describe the differences between two recipes that change the weights."""
    old, new = _flat(before), _flat(now)
    changed = [key for key in new if old[key] != new[key] and not key.startswith(WITHOUT_EFFECT)]
    return [f"{key} (was {_text(old[key])}, now {_text(new[key])})" for key in changed]


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
    except ValueError as error:  # from the parser, and for text that is not UTF-8
        raise ConfigError(f"{source} is not valid TOML: {error}") from error
    except RecursionError as error:
        raise ConfigError(f"{source} is nested more deeply than Python allows") from error


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
    except RecursionError as error:
        raise ConfigError(f"{'.'.join(keys)} is nested more deeply than Python allows") from error
    if not isinstance(value, str) and _hint(keys) is str:
        value = text  # a folder may be called 2024
    for i, key in enumerate(keys[:-1]):
        content = content.setdefault(key, {})
        if not isinstance(content, dict):
            raise ConfigError(f"{override!r}: {'.'.join(keys[: i + 1])} is not a mapping")
    content[keys[-1]] = value


def _hint(keys: Sequence[str]) -> Any:
    """Return the annotation of a key, or None if there is no such key."""
    hint: Any = Recipe
    for key in keys:
        field = hint.model_fields.get(key) if isinstance(hint, type) and issubclass(hint, BaseModel) else None
        hint = field.annotation if field else None
    return hint


def _nearest(key: str, known: Iterable[str], where: str) -> str:
    """Return a suggestion for an error message: the key of this name in another section, or a similar key."""
    sections = {name: field.annotation for name, field in Recipe.model_fields.items()}
    keys = [f"{name}.{each}" for name, section in sections.items() for each in getattr(section, "model_fields", ())]
    elsewhere = [path for path in keys if path.rpartition(".")[2] == key and path != where]
    if elsewhere:
        return f"; did you mean {' or '.join(map(repr, elsewhere))}?"
    return did_you_mean(key, [*known, *(list_losses() if where == f"loss.{key}" else ())])


def _flat(recipe: Recipe) -> dict[str, Any]:
    sections = recipe.model_dump()
    task = {"task": sections.pop("task")}
    return task | {f"{name}.{key}": value for name, values in sections.items() for key, value in values.items()}


def _text(value: Any) -> str:
    """Return a value as it appears in messages."""
    return json.dumps(value, ensure_ascii=False, default=str)
