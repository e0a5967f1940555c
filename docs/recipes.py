"""Writes docs/recipes.md, the reference of recipes, from the dataclasses that recipes are made of.

python docs/recipes.py
"""

import dataclasses
import typing
from pathlib import Path
from typing import Any

from restorekit.composition import argument_docs
from restorekit.parts import in_words
from restorekit.train import WITHOUT_EFFECT, Recipe, list_recipes, load_recipe

PAGE = Path(__file__).parent / "recipes.md"
HEAD = """# Recipes

<!-- Written by docs/recipes.py; change the docstrings of restorekit/train/_recipe.py, and run it again. -->

A recipe is a TOML file that says all that a training run depends on. `restorekit train` takes the name of one of these, or a
file of your own:

| name | task | network | data | steps |
|---|---|---|---|---|
"""
OVERRIDES = """
Every value can be replaced on the command line, as `section.key=value`; `--print` shows the result without training:

```console
$ restorekit train mprnet_tiny.denoise data.path=photos/ optimizer.lr=1e-3 --print
```

Values are written as in TOML; quotes around a text may be left out. A key of a mapping is reached with a further dot
(`model.arguments.width=24`). An unknown key is an error that names the nearest, and so is a value of a wrong type. A run can go
on with other values of {free}, which do not change the weights; other changes need `--allow-changes`.

Paths are relative to the working folder.
"""


def page() -> str:
    """Return the page."""
    rows = []
    for name in list_recipes():
        recipe = load_recipe(name)
        rows.append(f"| `{name}` | {recipe.task} | `{recipe.model.name}` | `{recipe.data.layout}` | {recipe.run.steps:,} |")
    free = ", ".join(f"`{key}`" for key in WITHOUT_EFFECT[:-1]) + f" and of all of `{WITHOUT_EFFECT[-1]}`"
    text = HEAD + "\n".join(rows) + "\n" + OVERRIDES.format(free=free)
    docs = argument_docs(Recipe)
    for key, hint in typing.get_type_hints(Recipe).items():
        if dataclasses.is_dataclass(hint):
            text += f"\n## `[{key}]`\n\n{_sentence(docs[key])}\n\n" + _table(hint)
    return text + f"\nAbove the sections stands `task`: {docs['task']}\n"


def _table(section: Any) -> str:
    hints, docs = typing.get_type_hints(section), argument_docs(section)
    rows = [
        f"| `{field.name}` | {in_words(hints[field.name])} | {_default(field)} | {docs[field.name].replace('|', chr(92) + '|')} |"
        for field in dataclasses.fields(section)
    ]
    return "| key | is | default | meaning |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"


def _default(field: Any) -> str:
    value = field.default if field.default is not dataclasses.MISSING else field.default_factory()
    if value in ("", (), {}):
        return "empty"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
