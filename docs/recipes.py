"""Writes docs/recipes.md, the reference of recipes, from the models that check recipes.

python docs/recipes.py
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schema_words import default, in_words

from restorekit._config import markdown
from restorekit.train import WITHOUT_EFFECT, Recipe, list_recipes, load_recipe

PAGE = Path(__file__).parent / "recipes.md"
HEAD = """# Recipes

<!-- Written by docs/recipes.py; change the docstrings of restorekit/train/_recipe.py, and run it again. -->

A recipe is a TOML file with everything that a training run depends on. `restorekit train` takes the name of one of these, or your
own file:

| name | task | network | data | steps |
|---|---|---|---|---|
"""
OVERRIDES = """
You can replace every value on the command line, as `section.key=value`; `--print` shows the result without training:

```console
$ restorekit train mprnet_tiny.denoise data.path=photos/ optimizer.lr=1e-3 --print
```

Write values as in TOML; you may omit quotes around text. Reach a key of a mapping with another dot (`model.arguments.width=24`).
The error for an unknown key names the nearest one, and a value of a wrong type is an error, too. You can resume a run with other
values of {free}, which do not change the weights; other changes need `--allow-changes`.

Paths are relative to the working folder.
"""
LOSSES = """
A term names a registered loss, its `weight` (1 by default), and arguments of the loss:

```toml
[loss]
terms = [{ name = "charbonnier", weight = 1.0, eps = 1e-2 }, { name = "edge", weight = 0.05 }]
stages = [0.5, 0.5, 1.0]
```

<!-- losses -->
"""


def page() -> str:
    """Return the page."""
    rows = []
    for name in list_recipes():
        recipe = load_recipe(name)
        rows.append(f"| `{name}` | {recipe.task} | `{recipe.model.name}` | `{recipe.data.layout}` | {recipe.run.steps:,} |")
    free = ", ".join(f"`{key}`" for key in WITHOUT_EFFECT[:-1]) + f" and of all of `{WITHOUT_EFFECT[-1]}`"
    text = HEAD + "\n".join(rows) + "\n" + OVERRIDES.format(free=free)
    schema = Recipe.model_json_schema()
    for key, value in schema["properties"].items():
        if "$ref" in value:
            section = schema["$defs"][value["$ref"].rpartition("/")[2]]
            text += f"\n## `[{key}]`\n\n{markdown(section['description'])}\n\n" + _table(section)
            text += LOSSES if key == "loss" else ""
    return text + f"\nAbove the sections, set `task`: {_cell(schema['properties']['task']['description'])}\n"


def _table(section: Mapping[str, Any]) -> str:
    rows = [
        f"| `{key}` | {_takes(value)} | {default(value)} | {_cell(value['description'])} |"
        for key, value in section["properties"].items()
    ]
    return "| key | is | default | meaning |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"


def _takes(value: Mapping[str, Any]) -> str:
    return "a list of terms" if "$ref" in value.get("items", {}) else in_words(value)


def _cell(text: str) -> str:
    return " ".join(markdown(text).replace("|", "\\|").split())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
