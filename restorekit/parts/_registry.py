"""Registries: parts and models by name.

There is one registry for each kind of part, and for connectors one for each role. Names are the field's abbreviations
(``"cab"``, ``"orsnet"``).
The first time a name is looked up, the modules of the registry's own packages are imported, and register what they define.
Other packages add parts through the entry point group ``restorekit.plugins``, which names modules that are then imported, too.
"""

import difflib
import importlib.metadata
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from restorekit._lazy import modules_of

if TYPE_CHECKING:
    from torch import nn

T = TypeVar("T")
Definition = TypeVar("Definition")
PartFactory = TypeVar("PartFactory", bound="Callable[..., nn.Module]")

PLUGIN_GROUP = "restorekit.plugins"
LOOSE = "restorekit_parts_"  # start of the names of modules from loose files
MAX_NAMES = 20  # most names in an error message


class Registry(Generic[T]):
    """Objects of one kind, by name.

    Args:
        kind: the kind of objects, in the singular, for error messages.
        *homes: packages whose modules register such objects; they are imported when the first name is looked up.

    Example:
        >>> samplers = Registry[str]("sampler")
        >>> samplers.add("nearest", "the closest pixel")
        >>> samplers.get("nearest")
        'the closest pixel'
    """

    def __init__(self, kind: str, *homes: str) -> None:
        self.kind = kind
        self._homes = homes
        self._is_complete = not homes
        self._lock = threading.RLock()
        self._entries: dict[str, T] = {}
        self._definitions: dict[str, object] = {}

    def register(self, name: str, entry_of: Callable[[Any], T] | None = None) -> Callable[[Definition], Definition]:
        """Return a decorator that registers a class or function.

        Args:
            name: the name.
            entry_of: returns what to register for the class or function; by default itself.

        Raises:
            ValueError: if the name is taken.
        """

        def decorator(definition: Definition) -> Definition:
            self.add(name, entry_of(definition) if entry_of else cast(T, definition), definition=definition)
            return definition

        return decorator

    def add(self, name: str, entry: T, *, definition: object = None) -> None:
        """Register ``entry`` under ``name``.

        Args:
            name: the name.
            entry: what to register.
            definition: the class or function that defines it; by default the entry itself.

        Raises:
            ValueError: if the name is taken, unless the same definition runs again in a notebook or program.
        """
        definition = entry if definition is None else definition
        module = getattr(definition, "__module__", None) or ""
        if not any(module.startswith(f"{home}.") for home in self._homes):
            self._import_homes()  # so that names of this package are taken even before the first look-up
        if name in self._entries and not _is_run_again(self._definitions.get(name), definition):
            raise ValueError(f"{self.kind} {name!r} is already registered, as {self._entries[name]}; choose another name")
        self._entries[name], self._definitions[name] = entry, definition

    def get(self, name: str) -> T:
        """Return the entry registered under ``name``.

        Raises:
            ValueError: if there is none; the message suggests the nearest registered names.
        """
        self._import_homes()
        load_plugins()
        if name not in self._entries:
            raise ValueError(f"unknown {self.kind} {name!r}{did_you_mean(name, self._entries)}")
        return self._entries[name]

    def definition_of(self, name: str) -> object:
        """Return the class or function that defines an entry, or None if there is none so far."""
        return self._definitions.get(name)

    def __iter__(self) -> Iterator[str]:
        self._import_homes()
        load_plugins()
        return iter(sorted(self._entries))

    def _import_homes(self) -> None:
        with self._lock:  # other threads must wait for all names
            homes = () if self._is_complete else self._homes
            self._is_complete = True  # before importing: a module may look up names itself
            for home in homes:
                for _ in modules_of(home):
                    pass


def _is_run_again(taken: object, definition: object) -> bool:
    """Return whether a definition is the same as another, executed again, as a notebook cell or a file of parts can be."""
    places = [(getattr(value, "__module__", None), getattr(value, "__qualname__", None)) for value in (taken, definition)]
    return places[0] == places[1] and str(places[0][0]).startswith(("__main__", LOOSE))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a clause for an error message: the nearest known names, or else the first known ones."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if near:
        return "; did you mean " + " or ".join(repr(n) for n in near) + "?"
    if len(names) > MAX_NAMES:
        names = [*names[:MAX_NAMES], f"... ({len(names)} in all)"]
    return "; known: " + (", ".join(names) if names else "none")


PartRegistry = Registry["Callable[..., nn.Module]"]

BLOCKS, STAGES = "restorekit.blocks", "restorekit.stages"  # packages whose modules are discovered

blocks: PartRegistry = Registry("block", BLOCKS)
stages: PartRegistry = Registry("stage", STAGES)
activations: PartRegistry = Registry("activation", BLOCKS)
connectors: dict[str, PartRegistry] = {
    role: Registry(f"{role} connector", BLOCKS, STAGES)
    for role in ("stem", "join", "supervise", "fuse", "head", "guide", "downsample", "upsample", "merge")
}


def registry_of(kind: str) -> PartRegistry:
    """Return the registry of ``"block"``, ``"stage"``, ``"activation"`` or of a connector's role."""
    return ({"block": blocks, "stage": stages, "activation": activations} | connectors)[kind]


def all_parts() -> list[PartRegistry]:
    """Return the registries of all kinds of parts."""
    return [blocks, stages, activations, *connectors.values()]


def register_block(name: str) -> Callable[[PartFactory], PartFactory]:
    """Return a decorator that registers a block: called with a width, it maps features to features of the same shape.

    Raises:
        ValueError: if the name is taken.
    """
    return blocks.register(name)


def register_stage(name: str) -> Callable[[PartFactory], PartFactory]:
    """Return a decorator that registers a stage: a :class:`restorekit.stages.Stage`.

    Raises:
        ValueError: if the name is taken.
    """
    return stages.register(name)


def register_activation(name: str) -> Callable[[PartFactory], PartFactory]:
    """Return a decorator that registers an activation: a module class whose arguments are its attributes.

    Raises:
        ValueError: if the name is taken.
    """
    return activations.register(name)


def register_connector(name: str, *, role: str) -> Callable[[PartFactory], PartFactory]:
    """Return a decorator that registers a connector, a part between levels or stages.

    Args:
        name: unique among the connectors of the role.
        role: its purpose, as :class:`restorekit.MultiStage` and the stages name it: ``"stem"``, ``"join"``, ``"supervise"``,
            ``"fuse"``, ``"head"``, ``"guide"``, ``"downsample"``, ``"upsample"`` or ``"merge"``.

    Raises:
        ValueError: if there is no such role, or the name is taken.
    """
    if role not in connectors:
        raise ValueError(f"unknown role {role!r} of connector {name!r}{did_you_mean(role, connectors)}")
    return connectors[role].register(name)


def list_connectors(role: str) -> list[str]:
    """Return the names of all registered connectors of a role.

    Args:
        role: as for :func:`register_connector`.

    Raises:
        ValueError: if there is no such role.

    Example:
        >>> "concat" in list_connectors("join")
        True
    """
    if role not in connectors:
        raise ValueError(f"unknown role {role!r} of connectors{did_you_mean(role, connectors)}")
    return list(connectors[role])


def list_blocks() -> list[str]:
    """Return the names of all registered blocks."""
    return list(blocks)


def create_block(name: str, width: int, **kwargs: Any) -> "nn.Module":
    """Build a registered block.

    Args:
        name: registered name, such as ``"cab"``.
        width: channels of the features.
        **kwargs: passed to the block unchanged.

    Raises:
        ValueError: if no block has this name.
    """
    return blocks.get(name)(width, **kwargs)


def list_stages() -> list[str]:
    """Return the names of all registered stages."""
    return list(stages)


def create_stage(name: str, *args: Any, **kwargs: Any) -> "nn.Module":
    """Build a registered stage.

    Args:
        name: registered name, such as ``"unet"``.
        *args: passed to the stage unchanged.
        **kwargs: passed to the stage unchanged.

    Raises:
        ValueError: if no stage has this name.
    """
    return stages.get(name)(*args, **kwargs)


_plugins_loaded = False


def load_plugins() -> None:
    """Import the modules that other packages list in the entry-point group ``restorekit.plugins``.

    This happens once. If a plugin cannot be imported, a warning names it, so that a broken package does not
    take down every program that uses restorekit.
    """
    global _plugins_loaded
    if _plugins_loaded:
        return
    _plugins_loaded = True  # before importing: a plugin may look up names itself
    for entry in importlib.metadata.entry_points(group=PLUGIN_GROUP):
        try:
            entry.load()
        except Exception as error:
            warnings.warn(f"restorekit plugin {entry.name!r} ({entry.value}) failed to load: {error!r}", stacklevel=3)
