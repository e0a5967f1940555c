"""Parts from files and other packages: loading them, and saying where they come from."""

import functools
import hashlib
import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from restorekit.errors import ConfigError
from restorekit.parts._registry import LOOSE, Registry, all_parts

OWN = ("restorekit", "timm", "torch")  # packages whose parts are always there


def load_parts(path: str | os.PathLike[str]) -> ModuleType:
    """Import a Python file that registers parts, models or losses, so that networks can use them by name.

    A file is imported once, whatever its relative path. It can import installed packages, but not other files of its folder.

    Args:
        path: the file.

    Returns:
        The module.

    Raises:
        ConfigError: if there is no such file, or it cannot be imported.
    """
    file = Path(path).resolve()
    name = f"{LOOSE}{file.stem}_{hashlib.sha256(str(file).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None or not file.is_file():
        raise ConfigError(f"{path} is not a Python file; give the file that registers the parts, such as my_parts.py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ConfigError(f"{path} could not be imported: {type(error).__name__}: {error}") from error
    return module


def origins_of(config: Any, *registries: Registry[Any]) -> list[str]:
    """Return the packages and files, other than this library, that define parts which a config names.

    Args:
        config: a network as data.
        *registries: further registries, next to those of parts, whose entries it may name.
    """
    names = set(_strings(config))
    definitions = [registry.definition_of(name) for registry in (*all_parts(), *registries) for name in names]
    return sorted({origin for definition in definitions if definition is not None and (origin := _origin(definition))})


def _strings(data: Any) -> Iterator[str]:
    """Yield the texts in plain data."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, Mapping):
        for value in data.values():
            yield from _strings(value)
    elif isinstance(data, list | tuple):
        for value in data:
            yield from _strings(value)


def _origin(definition: object) -> str | None:
    """Return the file or package that defines a part; None if it is always there, or was typed in."""
    module = getattr(definition, "__module__", None) or ""
    package = module.partition(".")[0]
    if package in OWN:
        return None
    if module.startswith(LOOSE) or module == "__main__":
        file = getattr(sys.modules.get(module), "__file__", None)
        return Path(file).name if file else None
    return _distributions().get(package, [package])[0]


@functools.cache
def _distributions() -> Mapping[str, list[str]]:
    """Return the installed distributions of each package; it takes a second to find them, and every state dict asks."""
    return importlib.metadata.packages_distributions()
