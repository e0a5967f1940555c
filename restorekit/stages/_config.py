"""A network as plain data."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from restorekit.errors import ConfigError
from restorekit.parts import Unregistered, arguments_of, name_of
from restorekit.stages._base import Stage

SHARED = "shared"


def network_config(description: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that a network was created with as plain data, from which the same network can be built.

    An activation that parts share becomes an entry of ``shared``, and is referred to by its name with an @ in front.

    Args:
        description: the arguments, as recorded by a network of stages.

    Raises:
        ConfigError: if the network contains unregistered parts; the message names them.
    """
    shared: dict[int, str] = {}
    parts: dict[str, Any] = {}

    def plain(value: Any, path: str) -> Any:
        if isinstance(value, Unregistered):
            raise ConfigError(f"{path} is {value.reason}")
        if isinstance(value, Stage):
            return {"name": plain(name_of("stage", type(value)), path)} | plain(value.description, path)
        if isinstance(value, nn.Module):
            if id(value) not in shared:
                key = path.rpartition(".")[2]
                name = key if key not in parts else f"{key}{len(parts) + 1}"
                shared[id(value)], parts[name] = name, _described_activation(value, path)
            return f"@{shared[id(value)]}"
        if isinstance(value, Mapping):
            return {key: plain(entry, f"{path}.{key}" if path else key) for key, entry in value.items()}
        if isinstance(value, list):
            return [plain(entry, f"{path}[{i}]") for i, entry in enumerate(value)]
        return value

    config = plain(description, "")
    return config | ({SHARED: parts} if parts else {})


def _described_activation(module: nn.Module, path: str) -> Any:
    """Return an activation as data: its name, with the arguments that differ from the defaults."""
    name = name_of("activation", type(module))
    if isinstance(name, Unregistered):
        raise ConfigError(f"{path} is {name.reason}")
    arguments = {a.name: vars(module).get(a.name, a.default) for a in arguments_of("activation", name)}
    changed = {a.name: arguments[a.name] for a in arguments_of("activation", name) if arguments[a.name] != a.default}
    return {"name": name} | changed if changed else name
