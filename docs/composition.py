"""Writes the reference of compositions into the page, from signatures and docstrings, and the schema beside it.

``prepare.py`` calls these functions, so neither can be out of date.
"""

import json
from collections.abc import Mapping
from typing import Any

from schema_words import default, in_words

from restorekit.composition import json_schema
from restorekit.parts import GIVEN, registry_of


def schema() -> str:
    """Return the schema as text."""
    return json.dumps(json_schema(), indent=1) + "\n"


def reference() -> str:
    """Return the reference: a table for the network, and one for each part."""
    schema = json_schema()
    sections = ["### A network\n", table(schema)]
    for kind in GIVEN:
        sections.append(f"\n### Kind of part: {kind}\n")
        for name in registry_of(kind):
            part = schema["$defs"][f"{kind}_{name}"]
            sections.append(f"**`{name}`**: {part['description']}\n")
            sections.append(table(part) + "\n" if len(part["properties"]) > 1 else "")
    return "\n".join(sections)


def table(schema: Mapping[str, Any]) -> str:
    """Return a table of the arguments of a network or part."""
    rows = [
        f"| `{name}` | {in_words(value)} | {default(value)} | {value.get('description', '')} |"
        for name, value in schema["properties"].items()
        if name != "name"
    ]
    return "\n".join(["| argument | takes | default | meaning |", "|---|---|---|---|", *rows])
