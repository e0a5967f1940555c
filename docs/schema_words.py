"""Says in words what a JSON schema takes, for the tables of the reference."""

from collections.abc import Mapping
from typing import Any

from restorekit.parts import GIVEN, registry_of

WORDS = {"integer": "an integer", "number": "a number", "boolean": "true or false", "string": "a string", "object": "a mapping"}


def in_words(schema: Mapping[str, Any]) -> str:
    """Return what a schema takes; a part is a link to its kind."""
    if "$ref" in schema:
        kind = schema["$ref"].rpartition("/")[2]
        if kind not in GIVEN:  # a data class
            return f"a mapping, with the arguments of [`{kind}`](api/models.md)"
        return f"[{_article(registry_of(kind).kind)}](#kind-of-part-{kind})"
    if options := schema.get("anyOf") or schema.get("oneOf"):
        types = [option.get("type") for option in options]
        told = [option for option in options if option.get("type") != "null"]
        return " or ".join(in_words(each) for each in told if not (each.get("type") == "integer" and "number" in types))
    if "enum" in schema:
        *values, last = map(repr, schema["enum"])
        return " or ".join(filter(None, (", ".join(values), last)))
    if schema.get("type") == "array":
        return f"a list of {_plural(schema.get('items', {}))}"
    return WORDS.get(schema.get("type", ""), "any value")


def default(schema: Mapping[str, Any]) -> str:
    """Return the default value of a schema as TOML or JSON would write it; nothing if there is none to show."""
    value = schema.get("default")
    if "default" not in schema:
        return ""
    if value in ("", [], {}):
        return "empty"
    return f"`{ {True: 'true', False: 'false', None: 'null'}[value] if value is None or isinstance(value, bool) else value }`"


def _plural(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        kind = schema["$ref"].rpartition("/")[2]
        return f"[{registry_of(kind).kind}s](#kind-of-part-{kind})"
    if " or " in (words := in_words(schema)):
        return "entries, each " + words
    noun, of, rest = words.partition(" ")[2].partition(" of ")
    return f"{noun}s{of}{rest}"


def _article(words: str) -> str:
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"
