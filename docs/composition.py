"""Writes docs/composition.md and docs/composition.schema.json from signatures and docstrings: python docs/composition.py."""

import inspect
import json
from pathlib import Path

from restorekit.composition import argument_docs, json_schema
from restorekit.composition.check import network_arguments
from restorekit.parts import GIVEN, Argument, arguments_of, in_words
from restorekit.registry import registry_of
from restorekit.stages import MultiStage

DOCS = Path(__file__).parent
PAGE, SCHEMA = DOCS / "composition.md", DOCS / "composition.schema.json"

HEAD = """# Networks as data

A network that is made of registered parts can be written down as data, in a Python mapping, a JSON or a TOML file.
`restorekit.compose` builds it, and `model.config` gives the data back. So a network that nobody registered can be saved, shared and
rebuilt elsewhere.

```python
import restorekit

config = {
    "stages": [
        {"name": "unet", "widths": [16, 24, 32], "block": {"name": "cab", "act": "@act"}},
        {"name": "orsnet", "width": 24, "block": "naf", "num_blocks": 2, "guided": True},
    ],
    "grids": [[2, 2], [1, 1]],
    "fuse": "concat",
    "shared": {"act": "prelu"},
}
model = restorekit.compose(config)
assert model.config == config
```

A part is a registered name (`"naf"`), or a mapping of the name and arguments. An activation that parts share is an entry of
`shared`, and its name with an @ in front stands wherever it is used. Saved, such a network is loaded by anyone:

```python
model.save_pretrained("my-network")
again = restorekit.create_model("local-dir:my-network", pretrained=True)
assert again.config == config
```

What is unknown or of a wrong type is an error that says where, before anything is built:

```python
config["stages"][0]["block"]["reducton"] = 8
restorekit.compose(config)
```

```text
ConfigError: stages[0].block.reducton: unknown argument of block 'cab'; did you mean 'reduction'?
```

[composition.schema.json](composition.schema.json) is a JSON schema of this format for editors; `restorekit inspect --schema`
prints the same with the parts of your own plugins. [Ablations](ablations.md) has three dozen compositions to start from.

## Reference

Written from the signatures and docstrings of the parts. Arguments without a default are needed.

### A network
"""


def page() -> str:
    """Return the page."""
    docs = argument_docs(MultiStage)
    stages = f"| `stages` | a list of stages | | {docs['stages']} |"
    shared = "| `shared` | a mapping | | activations that parts share, by name |"
    sections = [HEAD, table(network_arguments(), docs, before=stages, after=shared)]
    for kind in GIVEN:
        sections.append(f"\n### Kind of part: {kind}\n")
        for name in registry_of(kind):
            target = registry_of(kind).get(name)
            summary = (inspect.getdoc(target) or "").partition("\n")[0]
            sections.append(f"**`{name}`**: {summary}\n")
            arguments = arguments_of(kind, name)
            sections.append(table(arguments, argument_docs(target)) + "\n" if arguments else "")
    return "\n".join(sections).rstrip() + "\n"


def table(arguments: list[Argument], docs: dict[str, str], before: str = "", after: str = "") -> str:
    """Return a table of arguments."""
    rows = [before] if before else []
    for argument in arguments:
        default = "" if argument.default is inspect.Parameter.empty else f"`{plain(argument.default)}`"
        rows.append(f"| `{argument.name}` | {in_words(argument.hint)} | {default} | {docs.get(argument.name, '')} |")
    return "\n".join(["| argument | takes | default | meaning |", "|---|---|---|---|", *rows, *([after] if after else [])])


def plain(default: object) -> str:
    """Return a default value as a composition would write it."""
    return (
        json.dumps(default) if isinstance(default, (bool, int, float, str, tuple, type(None))) else getattr(default, "__name__", "")
    )


def schema() -> str:
    """Return the schema as text."""
    return json.dumps(json_schema(), indent=1) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
    SCHEMA.write_text(schema())
