"""Makes the gallery: runs the examples in docs/gallery, and writes a page and a notebook of each, with what they print and draw.

An example is a program in cells: after ``# %% [markdown]`` its text as comments, after ``# %%`` code. The value of the last line of
a cell is shown, a picture or anything else.
"""

import ast
import contextlib
import io
import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

EXAMPLES = Path(__file__).parent / "gallery"
SITE = "https://colab.research.google.com/github/restorekit/restorekit/blob/gh-pages/latest/gallery"
INDEX = """# Gallery

Each example runs in seconds on a CPU, with weights and photographs that come with the package. Click a picture for the code. Every
page can be downloaded as a notebook, or opened in Colab.

"""


class Cell(NamedTuple):
    """A cell of an example: its text, and whether it is prose."""

    text: str
    is_prose: bool


def names() -> list[str]:
    """Return the names of all examples."""
    return sorted(path.stem for path in EXAMPLES.glob("*.py"))


def cells(name: str) -> list[Cell]:
    """Return the cells of an example."""
    program = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    found = []
    for part in re.split(r"^# %%", program, flags=re.MULTILINE)[1:]:
        head, _, text = part.partition("\n")
        is_prose = "[markdown]" in head
        found.append(Cell(re.sub(r"^# ?", "", text, flags=re.MULTILINE).strip() if is_prose else text.strip(), is_prose))
    return found


def title(name: str) -> str:
    """Return the heading of an example."""
    return cells(name)[0].text.partition("\n")[0].removeprefix("# ")


def run(code: str, namespace: dict[str, Any]) -> tuple[str, Any]:
    """Run a cell, and return what it prints and the value of its last line."""
    tree, value, printed = ast.parse(code), None, io.StringIO()
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "example", "exec"), namespace)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), "example", "eval"), namespace)
    return printed.getvalue(), value


def page(name: str, target: Path) -> str:
    """Return the page of an example, and write its pictures and its notebook into a folder."""
    target.mkdir(parents=True, exist_ok=True)
    (target / f"{name}.ipynb").write_text(json.dumps(notebook(name), indent=1) + "\n", encoding="utf-8")
    links = f"[Open in Colab]({SITE}/{name}.ipynb){{ .md-button }} [Download the notebook]({name}.ipynb){{ .md-button }}"
    written, namespace, pictures = [], {"__name__": "example"}, 0
    for number, cell in enumerate(cells(name)):
        written.append(cell.text if cell.is_prose else f"```python\n{cell.text}\n```")
        if number == 0:
            written.append(links)
        if cell.is_prose:
            continue
        printed, value = run(cell.text, namespace)
        if isinstance(value, Image.Image):
            pictures += 1
            value.convert("RGB").save(target / f"{name}-{pictures}.webp", quality=85, method=6)
            size = f"loading=lazy width={value.width} height={value.height}"
            written.append(f"![Output of the code above]({name}-{pictures}.webp){{ {size} }}")
        elif isinstance(value, Path) and value.suffix == ".svg":
            drawing = value.read_text(encoding="utf-8")
            (target / f"{name}-small.svg").write_text(drawing, encoding="utf-8")
            written.append(f"<figure>\n{drawing}\n</figure>")
        elif value is not None:
            printed += f"{value!r}\n"
        if printed:
            written.append(f"```text\n{printed.rstrip()}\n```")
    return "\n\n".join(written) + "\n"


def pages(target: Path) -> Iterator[tuple[str, str]]:
    """Yield the pages of all examples, and the one that shows them all; pictures and notebooks go to a folder."""
    shown = []
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # for the files that examples write
        try:
            for name in names():
                text = page(name, target / "gallery")
                yield f"gallery/{name}.md", text
                first = target / "gallery" / f"{name}-1.webp"
                if first.exists():
                    thumbnail(first, first.with_name(f"{name}-small.webp"))
                small = next((target / "gallery").glob(f"{name}-small.*")).name
                shown.append(f"-   [![]({small}){{ width=320 height=200 }}<span>{title(name)}</span>]({name}.md)")
        finally:
            os.chdir(before)
    yield "gallery/index.md", INDEX + '<div class="gallery" markdown>\n\n' + "\n".join(shown) + "\n\n</div>\n"


def thumbnail(picture: Path, path: Path) -> None:
    """Write a small version of a picture."""
    with Image.open(picture) as image:
        scale = max(320 / image.width, 200 / image.height)
        small = image.resize(
            (max(round(image.width * scale), 320), max(round(image.height * scale), 200)), Image.Resampling.LANCZOS
        )
        small.crop((0, 0, 320, 200)).save(path, quality=80, method=6)


def notebook(name: str) -> dict[str, Any]:
    """Return an example as a Jupyter notebook."""
    install = Cell("%pip install --quiet restorekit", is_prose=False)
    found = cells(name)
    return {
        "cells": [as_json(cell, number) for number, cell in enumerate([found[0], install, *found[1:]])],
        "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def as_json(cell: Cell, number: int) -> dict[str, Any]:
    """Return a cell as it is in a notebook."""
    common = {"id": f"cell-{number}", "metadata": {}, "source": cell.text.splitlines(keepends=True)}
    return (
        {"cell_type": "markdown", **common}
        if cell.is_prose
        else {"cell_type": "code", "execution_count": None, "outputs": [], **common}
    )


def complete(nav: list[Any]) -> None:
    """Add the examples to their section of the navigation."""
    section = next(entry["Gallery"] for entry in nav if "Gallery" in entry)
    section += [{title(name): f"gallery/{name}.md"} for name in names()]
