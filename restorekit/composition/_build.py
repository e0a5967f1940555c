"""Building a network from data."""

import json
import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from restorekit._limits import DEPTH, FILE_SIZE, excess, limit
from restorekit.composition._bounded import bounded
from restorekit.composition._check import check_config, data_classes, network_arguments
from restorekit.errors import ConfigError, WiringError
from restorekit.parts import Shared, activation, arguments_of, part_kind, registry_of
from restorekit.stages import SHARED, MultiStage, Stage


def compose(config: Mapping[str, Any] | str | os.PathLike[str]) -> MultiStage:
    """Build a network from data.

    Args:
        config: a mapping as in ``model.config``, or the path of a ``.json`` or ``.toml`` file that contains one, such as the
            ``config.json`` of ``save_pretrained``. ``stages`` is required; everything else has the defaults of
            :class:`restorekit.MultiStage`.

    Returns:
        The network, with new weights.

    Raises:
        ConfigError: if a key or a name is unknown, or a value has a wrong type; the message says where, and suggests alternatives.
            Also if the network or its description is too large; the message says how to lift the limit.
        WiringError: if a stage cannot be built with its arguments, or the stages do not fit together; the message names them.

    Example:
        >>> model = compose({"stages": [{"name": "unet", "widths": [8, 12], "block": "cab"}], "image_channels": 1})
        >>> model.size_multiple
        2
    """
    config = read_config(config)
    check_config(config)
    return bounded(lambda: _network(config))


def _network(config: Mapping[str, Any]) -> MultiStage:
    """Build the network of a checked composition."""
    builder = _Builder(config.get(SHARED, {}))
    stages = [builder.stage(part, f"stages[{i}]") for i, part in enumerate(config["stages"])]
    hints = {argument.name: argument.hint for argument in network_arguments()}
    arguments = {key: builder.resolved(value, part_kind(hints[key])) for key, value in config.items() if key in hints}
    return MultiStage(stages, **{key: _typed(value, hints[key], key) for key, value in arguments.items()})


def read_config(config: Mapping[str, Any] | str | os.PathLike[str]) -> dict[str, Any]:
    """Return a composition as a dict, from a mapping or a file.

    Raises:
        ConfigError: if the file is missing, of an unknown kind, or cannot be parsed.
    """
    if isinstance(config, Mapping):
        return dict(config)
    if not isinstance(config, str | os.PathLike):
        raise ConfigError(f"a composition is a mapping with the key 'stages', or the path of a file; got a {type(config).__name__}")
    path = Path(config)
    parsers: dict[str, Callable[[str], Any]] = {".json": json.loads, ".toml": tomllib.loads}
    if path.suffix not in parsers:
        raise ConfigError(f"{path}: a composition is a .json or .toml file")
    try:
        if problem := excess("it has", path.stat().st_size, FILE_SIZE, "bytes"):
            raise ConfigError(f"{path} is too large: {problem}")
        content = parsers[path.suffix](path.read_text(encoding="utf-8"))
    except ConfigError:
        raise
    except RecursionError as error:
        raise ConfigError(f"{path} is nested more deeply than Python allows; the limit is {limit(DEPTH)} levels") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:  # from the parsers, and for text that is not UTF-8
        raise ConfigError(f"{path} is not valid {path.suffix[1:].upper()}: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} contains a {type(content).__name__}; a composition is a mapping with the key 'stages'")
    saved = content.get("composition")  # written by save_pretrained
    return saved if isinstance(saved, dict) else content


class _Builder:
    """Builds the parts of a composition, each shared one once.

    Args:
        shared: the shared parts, as data.
    """

    def __init__(self, shared: Mapping[str, Any]) -> None:
        self._shared = shared
        self._built: dict[str, Any] = {}

    def stage(self, part: Any, path: str) -> Stage:
        """Build a stage; an argument that only its constructor can check is reported with the path."""
        arguments = self.resolved(part, "stage")
        if isinstance(arguments, Stage):
            return arguments
        arguments = {"name": arguments} if isinstance(arguments, str) else dict(arguments)
        name = arguments.pop("name")
        try:
            return cast(Stage, registry_of("stage").get(name)(**arguments))
        except ValueError as error:
            raise WiringError(f"{path} ({name}): {error}") from error

    def resolved(self, value: Any, kind: str | None) -> Any:
        """Return an argument with shared parts in place of their names."""
        if kind is None:
            return value
        if isinstance(value, str) and value.startswith("@"):
            return self._part(value[1:], kind)
        if isinstance(value, list):
            return [self.resolved(entry, kind) for entry in value]
        if not isinstance(value, Mapping):
            return value
        kinds = {argument.name: part_kind(argument.hint) for argument in arguments_of(kind, value["name"])}
        return {key: self.resolved(entry, kinds.get(key)) for key, entry in value.items()}

    def _part(self, name: str, kind: str) -> Any:
        """Return a shared part: a stage or an activation itself, or the factory of another part."""
        if name not in self._built:
            part, path = self._shared[name], f"{SHARED}.{name}"
            if kind == "stage":
                self._built[name] = self.stage(part, path)
            else:
                part = self.resolved(part, kind)
                self._built[name] = activation(part) if kind == "activation" else Shared(part, name)
        return self._built[name]


def _typed(value: Any, hint: Any, path: str) -> Any:
    """Return a mapping as the class of an argument, such as :class:`~restorekit.network.ImageSpec`, if its annotation has one."""
    if isinstance(value, list):
        return [_typed(entry, hint, f"{path}[{i}]") for i, entry in enumerate(value)]
    classes = data_classes(hint)
    if not isinstance(value, Mapping) or not classes:
        return value
    try:
        return classes[0](**value)
    except ValueError as error:
        raise WiringError(f"{path}: {error}") from error
