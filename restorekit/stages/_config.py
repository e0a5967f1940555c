"""A network as plain data."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from restorekit.errors import ConfigError
from restorekit.parts import Reference, Unregistered, arguments_of, name_of
from restorekit.stages._base import Stage

SHARED = "shared"


def network_config(description: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that a network was created with as plain data, from which the same network can be built.

    A part that is used several times (an activation, a stage, or one made as :class:`~restorekit.parts.Shared`) becomes an entry of
    ``shared``, and is referred to by its name with an @ in front.

    Args:
        description: the arguments, as recorded by a network of stages.

    Raises:
        ConfigError: if the network contains unregistered parts; the message names them.
    """
    shared: dict[int, str] = {}
    parts: dict[str, Any] = {}
    runs = Counter(map(id, description["stages"]))

    def reference(part: object, name: str, data: Callable[[], Any]) -> str:
        if id(part) not in shared:
            taken = name in shared.values()
            shared[id(part)] = f"{name}{len(shared) + 1}" if taken else name
            parts[shared[id(part)]] = data()
        return f"@{shared[id(part)]}"

    def plain(value: Any, path: str) -> Any:
        key = re.sub(r"\[\d+\]$", "", path.rpartition(".")[2])
        if isinstance(value, Unregistered):
            raise ConfigError(f"{path} is {value.reason}")
        if isinstance(value, Stage):

            def stage() -> Any:
                return {"name": plain(name_of("stage", type(value)), path)} | plain(value.description, path)

            return reference(value, "step", stage) if runs[id(value)] > 1 else stage()
        if isinstance(value, nn.Module):
            return reference(value, key, lambda: _described_activation(value, path))
        if isinstance(value, Reference):
            return reference(value.part, value.part.name or key, lambda: plain(value.data, path))
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
