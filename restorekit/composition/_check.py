"""The format of compositions: pydantic models made from the signatures of the registered parts, which remain its source."""

import functools
import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass
from types import NoneType
from typing import Annotated, Any, ForwardRef, Literal, Union

from pydantic import AfterValidator, BaseModel, BeforeValidator, Discriminator, Field, RootModel, Tag, create_model

from restorekit._config import Section, argument_docs, arguments_model, checked, problem, summary
from restorekit._limits import excess_of
from restorekit.errors import ConfigError
from restorekit.parts import (
    GIVEN,
    Argument,
    alternatives,
    arguments_of,
    did_you_mean,
    part_kind,
    registry_of,
    signature_of,
    takes_list,
)
from restorekit.stages import SHARED, MultiStage

_REFERENCE = "any_{}"


def check_config(config: Mapping[str, Any]) -> None:
    """Raise a :class:`ConfigError` with the location if a composition has unknown keys or names, or wrong or too large values."""
    if problem := excess_of(config):
        raise ConfigError(f"the composition is too large: {problem}")
    try:
        _check(config)
    except RecursionError as error:  # only if the limit was lifted
        raise ConfigError("the composition is nested more deeply than Python allows") from error


def _check(config: Mapping[str, Any]) -> None:
    shared = config.get(SHARED, {})
    if not isinstance(shared, Mapping):
        checked(composition_model(), config, context=())  # refuses it
    names = list(shared)
    # Which kind of part a shared one is shows where it is used, so everything else is checked first.
    checked(composition_model(), {**config, SHARED: {}}, context=names)
    hints = {argument.name: argument.hint for argument in network_arguments()}
    uses = [use for part in config["stages"] for use in _uses(part, "stage")]
    uses += [use for key, value in config.items() if key in hints for use in _uses(value, part_kind(hints[key]))]
    kinds: dict[str, str] = {}
    while uses or len(kinds) < len(names):
        unseen = next((name for name in names if name not in kinds), "")
        name, kind = uses.pop() if uses else (unseen, _kind_of(shared[unseen]))
        if name in kinds:
            if kinds[name] != kind:
                raise ConfigError(
                    f"{SHARED}.{name} is used as a part of two kinds, {kinds[name]} and {kind}; write one entry for each"
                )
            continue
        kinds[name] = kind
        model = _kind_models(_parts())[_REFERENCE.format(kind)]
        checked(model, _own(shared[name], kind, name), path=f"{SHARED}.{name}", context=names)
        uses += _uses(shared[name], kind)
    _check_circles(shared, kinds)


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of compositions, with all currently registered parts."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **composition_model().model_json_schema(),
        "title": "A network composed of restorekit's parts",
    }


def network_arguments() -> list[Argument]:
    """Return the arguments of a composition except ``stages`` and ``shared``."""
    return [argument for argument in signature_of(MultiStage) if argument.name != "stages"]


def composition_model() -> type[Section]:
    """Return the model of compositions, with all currently registered parts."""
    return _composition_model(_parts())


Parts = tuple[tuple[str, str, Callable[..., Any]], ...]


def _parts() -> Parts:
    """Return kind, name and factory of all currently registered parts."""
    return tuple((kind, name, registry_of(kind).get(name)) for kind in GIVEN for name in registry_of(kind))


@functools.lru_cache(maxsize=2)
def _kind_models(parts: Parts) -> dict[str, type[BaseModel]]:
    """Return the model of each kind of part, by the name that others refer to it by."""
    kinds = {_REFERENCE.format(kind): _kind_model(kind, [name for of, name, _ in parts if of == kind]) for kind in GIVEN}
    for model in kinds.values():
        model.model_rebuild(_types_namespace=kinds)
    return kinds


@functools.lru_cache(maxsize=2)
def _composition_model(parts: Parts) -> type[Section]:
    """Return the model of compositions of the given parts; each kind of part is referred to by its name."""
    kinds = _kind_models(parts)
    docs = argument_docs(MultiStage)
    stage: Any = _reference("stage")
    own: Any = Annotated[
        Union[tuple(map(_reference, GIVEN))], Field(json_schema_extra={"not": {"type": "string", "pattern": "^@"}})  # noqa: UP007
    ]
    model = arguments_model(
        "composition",
        network_arguments(),
        docs,
        data_type=_data_type,
        stages=(Annotated[Sequence[stage], Field(min_length=1, description=docs["stages"])], ...),
        **{
            SHARED: (
                Mapping[str, own],
                Field(
                    {}, description="parts that are used in several places, by name; refer to one by its name with an @ in front"
                ),
            )
        },
    )
    model.model_rebuild(_types_namespace=kinds)
    return model


def _kind_model(kind: str, names: Sequence[str]) -> type[BaseModel]:
    """Return the model of the parts of a kind: the name of one that needs no arguments, or a mapping of name and arguments."""
    registry = registry_of(kind)
    choices: dict[str, Any] = {f"{kind} {name!r}": _part_model(kind, name) for name in names}
    complete = [name for name in names if all(a.default is not inspect.Parameter.empty for a in arguments_of(kind, name))]
    if complete:
        choices["a name"] = Literal[tuple(complete)]
    choices["a shared one"] = Annotated[str, Field(pattern="^@", description=f"an entry of {SHARED}"), AfterValidator(_shared)]

    def known(value: Any) -> Any:
        name = value.get("name") if isinstance(value, Mapping) else value
        if not isinstance(name, str):
            raise problem("needed", text=f"the name of a {kind}, or a mapping with a 'name' and arguments")
        if value is name and name.startswith("@"):
            return value
        if name not in names:
            raise problem("told", text=f"unknown {registry.kind} {name!r}{did_you_mean(name, names)}")
        return value if value is not name or name in complete else {"name": name}

    def choice(value: Any) -> str:
        if isinstance(value, Mapping):
            return f"{kind} {value['name']!r}"
        return "a shared one" if value.startswith("@") else "a name"

    tagged: Any = tuple(Annotated[model, Tag(tag)] for tag, model in choices.items())
    root = Annotated[Union[tagged], Discriminator(choice), BeforeValidator(known)]  # noqa: UP007
    return create_model(kind, __base__=RootModel[root])


def _part_model(kind: str, name: str) -> type[Section]:
    target = registry_of(kind).get(name)
    model = arguments_model(
        f"{kind}_{name}",
        arguments_of(kind, name),
        argument_docs(target),
        data_type=_data_type,
        name=(Literal[name], ...),
    )
    model.__doc__ = summary(target)
    return model


def _data_type(hint: Any) -> Any:
    """Return the type that represents an annotation in data: for a factory, the model of its kind of part."""
    kind = part_kind(hint)
    if kind is None:
        return _with_models(hint)
    part: Any = _reference(kind)
    choices: dict[str, Any] = {"a part": part}
    if takes_list(hint):
        choices["a list"] = Sequence[part]
    if NoneType in alternatives(hint):
        choices["none"] = None
    if len(choices) == 1:
        return part

    def choice(value: Any) -> str:
        found = "a list" if isinstance(value, list | tuple) else "none" if value is None else "a part"
        return found if found in choices else "a part"

    return Annotated[Union[tuple(Annotated[each, Tag(tag)] for tag, each in choices.items())], Discriminator(choice)]  # noqa: UP007


def _with_models(hint: Any) -> Any:
    """Return an annotation with models in place of data classes."""
    if is_dataclass(hint) and isinstance(hint, type):
        return arguments_model(hint.__name__, signature_of(hint), argument_docs(hint), data_type=_with_models)
    options = tuple(map(_with_models, typing.get_args(hint)))
    if not data_classes(hint):
        return hint
    return Union[options] if alternatives(hint) else typing.get_origin(hint)[options]  # noqa: UP007


def data_classes(hint: Any) -> list[Any]:
    """Return the data classes in an annotation."""
    if is_dataclass(hint):
        return [hint]
    return [found for option in typing.get_args(hint) for found in data_classes(option)]


def _reference(kind: str) -> Any:
    """Return a placeholder for the model of a kind until it is made, since parts take parts. No argument may have its name."""
    return ForwardRef(_REFERENCE.format(kind))


def _shared(value: str, info: Any) -> str:  # info comes from pydantic: a protocol that cannot be checked while tests run
    """Check that an activation is among the shared ones."""
    if value[1:] not in info.context:
        raise problem("told", text=f"{value!r} is not under {SHARED!r}{did_you_mean(value[1:], info.context)}")
    return value


def _own(value: Any, kind: str, name: str) -> Any:
    """Return a shared part; the name of another shared one is not a part."""
    if isinstance(value, str) and value.startswith("@"):
        article = "an" if kind[0] in "aeiou" else "a"
        raise ConfigError(f"{SHARED}.{name} must be {article} {kind} itself, not the name of a shared one; got {value!r}")
    return value


def _uses(value: Any, kind: str | None) -> list[tuple[str, str]]:
    """Return name and kind of the shared parts that a valid argument refers to."""
    if kind is None:
        return []
    if isinstance(value, str):
        return [(value[1:], kind)] if value.startswith("@") else []
    if isinstance(value, list | tuple):
        return [use for entry in value for use in _uses(entry, kind)]
    if not isinstance(value, Mapping):
        return []
    kinds = {argument.name: part_kind(argument.hint) for argument in arguments_of(kind, value["name"])}
    return [use for key, entry in value.items() for use in _uses(entry, kinds.get(key))]


def _kind_of(part: Any) -> str:
    """Return the kind of a shared part that is not used anywhere: the first that has its name."""
    name = part.get("name") if isinstance(part, Mapping) else part
    return next((kind for kind in ("activation", "stage", *GIVEN) if name in list(registry_of(kind))), "activation")


def _check_circles(shared: Mapping[str, Any], kinds: Mapping[str, str]) -> None:
    """Raise if a shared part contains itself."""
    contains = {name: {use for use, _ in _uses(part, kinds[name])} for name, part in shared.items()}
    while free := [name for name, inside in contains.items() if not inside & contains.keys()]:
        for name in free:
            del contains[name]
    if contains:
        raise ConfigError(f"{SHARED}: {', '.join(contains)} contain each other; a part cannot contain itself")
