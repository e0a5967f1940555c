"""The format of compositions, as a JSON schema for editors; its one source are the signatures and docstrings of the parts."""

import inspect
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from types import NoneType
from typing import Any, Literal

from restorekit.composition._check import network_arguments
from restorekit.parts import GIVEN, Argument, alternatives, arguments_of, part_kind, registry_of, takes_list
from restorekit.stages import SHARED, MultiStage

SCALARS = {int: "integer", float: "number", bool: "boolean", str: "string", NoneType: "null"}


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of compositions, with all parts that are registered now."""
    docs = argument_docs(MultiStage)
    properties = {
        "stages": {"type": "array", "minItems": 1, "items": _reference("stage"), "description": docs["stages"]},
        **_properties(network_arguments(), docs),
        SHARED: {
            "type": "object",
            "additionalProperties": _reference("activation") | {"not": {"type": "string", "pattern": "^@"}},
            "description": "activations that parts share, by a name that is used with an @ in front",
        },
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A network composed of restorekit's parts",
        "type": "object",
        "properties": properties,
        "required": ["stages"],
        "additionalProperties": False,
        "$defs": {kind: _kind_schema(kind) for kind in GIVEN},
    }


def summary(target: Callable[..., Any]) -> str:
    """Return the first line of the docstring of a part, as Markdown."""
    return _markdown((inspect.getdoc(target) or "").partition("\n")[0])


def argument_docs(target: Callable[..., Any]) -> dict[str, str]:
    """Return what the docstring of a part says of each of its arguments, as Markdown."""
    section = re.search(r"^(?:Args|Attributes):\n(.*?)(?:\n\n|\Z)", inspect.getdoc(target) or "", flags=re.MULTILINE | re.DOTALL)
    entries = re.split(r"^ {4}(?=\w)", section.group(1), flags=re.MULTILINE) if section else []
    pairs = (entry.split(":", 1) for entry in entries if ":" in entry)
    return {name: _markdown(" ".join(text.split())) for name, text in pairs}


def _markdown(text: str) -> str:
    """Return a text of a docstring without what only Sphinx knows."""
    return re.sub(r":\w+:`([^`]+)`", r"`\1`", text).replace("``", "`")


def _kind_schema(kind: str) -> dict[str, Any]:
    registry = registry_of(kind)
    options: list[dict[str, Any]] = []
    complete = [name for name in registry if not _required(arguments_of(kind, name))]
    if complete:
        options.append({"enum": complete})
    if kind == "activation":
        options.append({"type": "string", "pattern": "^@", "description": f"an entry of {SHARED}"})
    for name in registry:
        target, arguments = registry.get(name), arguments_of(kind, name)
        options.append(
            {
                "type": "object",
                "description": summary(target),
                "properties": {"name": {"const": name}, **_properties(arguments, argument_docs(target))},
                "required": ["name", *_required(arguments)],
                "additionalProperties": False,
            }
        )
    return {"anyOf": options}


def _properties(arguments: Sequence[Argument], docs: Mapping[str, str]) -> dict[str, Any]:
    properties = {}
    for argument in arguments:
        schema = _value_schema(argument.hint)
        if argument.name in docs:
            schema["description"] = docs[argument.name]
        if isinstance(argument.default, (bool, int, float, str, tuple)):
            schema["default"] = argument.default
        properties[argument.name] = schema
    return properties


def _required(arguments: Sequence[Argument]) -> list[str]:
    return [argument.name for argument in arguments if argument.default is inspect.Parameter.empty]


def _value_schema(hint: Any) -> dict[str, Any]:
    kind = part_kind(hint)
    if kind is not None:
        schemas = [_reference(kind)]
        if takes_list(hint):
            schemas.append({"type": "array", "items": _reference(kind)})
        if NoneType in alternatives(hint):
            schemas.append({"type": "null"})
        return {"anyOf": schemas} if len(schemas) > 1 else schemas[0]
    if options := alternatives(hint):
        return {"anyOf": [_value_schema(option) for option in options]}
    origin, parameters = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return {"enum": list(parameters)}
    if origin in (Sequence, list, tuple):
        return {"type": "array", "items": _value_schema(parameters[0])}
    if origin is Mapping:
        return {"type": "object"}
    return {"type": SCALARS[hint]} if hint in SCALARS else {}


def _reference(kind: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{kind}"}
