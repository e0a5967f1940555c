"""Configs: pydantic models, some made from signatures, and the one place that turns pydantic's errors into our messages."""

import inspect
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from restorekit.errors import ConfigError
from restorekit.parts import Argument, did_you_mean

Model = TypeVar("Model", bound=BaseModel)
Nearest = Callable[[str, Iterable[str], str], str]

NEEDED = {  # what a value must be, by the type of pydantic's error; limits are filled in
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "float_type": "a number",
    "greater_than": "greater than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "int_type": "an integer",
    "is_instance_of": "a list",  # Sequence is the only class that configs use
    "less_than_equal": "at most {le:g}",
    "list_type": "a list",
    "literal_error": "{expected}",
    "mapping_type": "a mapping",
    "model_type": "a section with keys",
    "sequence_str": "a list",
    "string_type": "a string",
    "too_long": "a list of {max_length} or fewer",
    "too_short": "a list of {min_length} or more",
    "tuple_type": "a list",
}


class Section(BaseModel):
    """A mapping with known keys, whose values have exactly the annotated types."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", use_attribute_docstrings=True, protected_namespaces=())

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown(cls, data: Any) -> Any:
        """Report an unknown key before other errors: a missing key may only be misspelt."""
        if isinstance(data, Mapping) and cls.model_config["extra"] == "forbid":
            for key in data:
                if key not in cls.model_fields:
                    raise problem("unknown", key=str(key), known=list(cls.model_fields))
        return data


class _Arguments(Section):
    """Arguments of a class or function. Their source has no docstrings of attributes: pydantic need not search for them."""

    model_config = ConfigDict(use_attribute_docstrings=False)


def problem(kind: str, **context: Any) -> PydanticCustomError:
    """Return an error for validators to raise.

    Args:
        kind: ``"needed"``: the value must be ``text``; ``"told"``: ``text`` is a sentence about its place; ``"unknown"``: ``key``
            is not among those ``known``.
        **context: values that the kind needs.
    """
    return PydanticCustomError(kind, kind, context)


def arguments_model(
    name: str,
    arguments: Iterable[Argument],
    docs: Mapping[str, str],
    /,
    data_type: Callable[[Any], Any] = lambda hint: hint,
    **fields: Any,
) -> type[Section]:
    """Return the model of the arguments of a class or function.

    Args:
        name: name of the model.
        arguments: the arguments as the signature declares them.
        docs: descriptions of the arguments from the docstring.
        data_type: returns the type that represents an annotation in data.
        **fields: further fields, placed before the arguments.
    """
    for argument in arguments:
        about: dict[str, Any] = {"description": docs.get(argument.name)}
        if argument.default is None or isinstance(argument.default, bool | int | float | str | tuple):
            about["default"] = argument.default
        elif argument.default is not inspect.Parameter.empty:
            about["default_factory"] = lambda: None  # it is not data, so a schema does not show it
        fields[argument.name] = (data_type(argument.hint), Field(**about))
    return create_model(name, __base__=_Arguments, **fields)


def checked(
    model: type[Model],
    data: Any,
    *,
    path: str = "",
    owner: str = "",
    nearest: Nearest = lambda key, known, where: did_you_mean(key, known),
    context: Any = None,
) -> Model:
    """Return data as an instance of a model.

    Args:
        model: its class.
        data: plain data.
        path: location of the data in the user's input.
        owner: what the data are arguments of, such as ``block 'cab'``.
        nearest: returns the clause with suggestions for an unknown key.
        context: for validators.

    Raises:
        ConfigError: if the data do not fit; the message says where, what was found and what is needed.
    """
    try:
        return model.model_validate(data, context=context)
    except ValidationError as error:
        try:
            found = error.errors()
        except UnicodeEncodeError as half:
            raise ConfigError(f"{path or 'it'} contains text that is not valid Unicode; write it as UTF-8") from half
        raise ConfigError(_sentence([_found(each, data, owner) for each in found], path, nearest)) from error


class _Found(NamedTuple):
    """An error of pydantic, with its location in the data and the part that owns the location."""

    place: tuple[str | int, ...]
    owner: str
    error: ErrorDetails

    @property
    def kind(self) -> str:
        return self.error["type"]


def _found(error: ErrorDetails, data: Any, owner: str) -> _Found:
    """Tell the location in the data from the names of alternatives, which pydantic inserts."""
    place: list[str | int] = []
    for step in error["loc"]:
        if (isinstance(data, Mapping) and step in data) or (isinstance(data, Sequence) and isinstance(step, int)):
            place.append(step)
            data = cast(Any, data)[step]
        elif isinstance(step, str) and step.endswith("'"):  # the tag of a part
            owner = step
    return _Found(tuple(place), owner, error)


def _sentence(found: Sequence[_Found], path: str, nearest: Nearest) -> str:
    """Return one sentence about the first error; among several alternatives, about the one that matched furthest."""
    first = found[0].place
    alternatives = [each for each in found if each.place[: len(first)] == first]
    furthest = max(alternatives, key=lambda each: len(each.place))
    told = [each for each in alternatives if each.place == furthest.place]
    where, error = _joined(path, *furthest.place), furthest.error
    context = error.get("ctx", {})
    if furthest.kind == "unknown":
        where, what = _joined(path, *furthest.place, context["key"]), f"argument of {furthest.owner}" if furthest.owner else "key"
        return f"{where}: unknown {what}{nearest(context['key'], context['known'], where)}"
    if furthest.kind == "missing":
        names = [str(each.error["loc"][-1]) for each in told if each.kind == "missing"]
        if not furthest.owner:
            return f"{_joined(where, names[0])} is missing"
        return f"{where}: {furthest.owner} needs {' and '.join(map(repr, names))}"
    if furthest.kind == "value_error":
        return str(context["error"])
    if furthest.kind == "told":
        return f"{where}: {context['text']}"
    return f"{where} must be {_needed(told)}; got {error['input']!r}{_near(error)}"


def _needed(told: Collection[_Found]) -> str:
    kinds = {each.kind for each in told}
    words = [
        each.error["ctx"]["text"]
        if each.kind == "needed"
        else NEEDED.get(each.kind, each.error["msg"]).format_map(each.error.get("ctx", {}))
        for each in told
        if each.kind != "none_required" and not (each.kind == "int_type" and "float_type" in kinds)
    ]
    return " or ".join(dict.fromkeys(words))


def _near(error: ErrorDetails) -> str:
    """Return a suggestion for a misspelt choice."""
    if error["type"] != "literal_error":
        return ""
    near = did_you_mean(str(error["input"]), re.findall(r"'([^']*)'", error["ctx"]["expected"]))
    return near if near.startswith("; did") else ""


def _joined(path: str, *place: str | int) -> str:
    for step in place:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
    return path


def summary(target: Callable[..., Any]) -> str:
    """Return the first line of the docstring of a class or function, as Markdown."""
    return markdown((inspect.getdoc(target) or "").partition("\n")[0])


def argument_docs(target: Callable[..., Any]) -> dict[str, str]:
    """Return the descriptions of arguments in the docstring of a class or function, as Markdown."""
    section = re.search(r"^(?:Args|Attributes):\n(.*?)(?:\n\n|\Z)", inspect.getdoc(target) or "", flags=re.MULTILINE | re.DOTALL)
    entries = re.split(r"^ {4}(?=\w)", section.group(1), flags=re.MULTILINE) if section else []
    pairs = (entry.split(":", 1) for entry in entries if ":" in entry)
    return {name: markdown(" ".join(text.split())) for name, text in pairs}


def markdown(text: str) -> str:
    """Return the text of a docstring without Sphinx markup."""
    return re.sub(r":\w+:`([^`]+)`", r"`\1`", text).replace("``", "`")
