"""The website: examples run as notebooks, no mark is left, and both builders show every generated table."""

import importlib.util
import json
import re
import runpy
import subprocess
import sys
from types import SimpleNamespace

import pytest
import yaml

from _helpers import DOCS, ROOT

MAX_BYTES = 250_000


@pytest.fixture(scope="module")
def prepare():
    """The functions of the program that makes the pages."""
    before = sys.path[:]
    functions = SimpleNamespace(**runpy.run_path(str(DOCS / "prepare.py")))
    yield functions
    sys.path[:] = before


@pytest.mark.parametrize("name", sorted(path.stem for path in (DOCS / "gallery").glob("*.py")))
def test_the_notebook_of_every_example_runs(name, prepare, tmp_path, monkeypatch, unchecked_annotations, capsys):
    monkeypatch.chdir(tmp_path)
    found = json.loads(json.dumps(prepare.gallery.notebook(name)))
    first, install, *cells = found["cells"]
    assert first["source"][0].startswith("# ")
    assert install["source"] == ["%pip install --quiet restorekit"]
    namespace = {"__name__": "notebook"}
    shown = [prepare.gallery.run("".join(cell["source"]), namespace)[1] for cell in cells if cell["cell_type"] == "code"]
    assert any(value is not None for value in shown), "nothing to see"


def test_every_table_has_its_mark(prepare):
    for page, mark in prepare.TABLES:
        assert (DOCS / page).read_text().count(mark) == 1, page


def test_pages_get_a_description_and_other_words(prepare, tmp_path):
    page = "# Tiles `a`\n\n```python\n1\n```\n\nA [link](b.md) and *more*.\n\nText.\n"
    written = prepare.with_front("a/b.md", page, {"boost": 2, "also": ["OOM"]}, tmp_path)
    _, front, body = written.split("---\n", 2)
    card = "assets/cards/a-b.png"
    assert yaml.safe_load(front) == {"description": "A link and more.", "card": card, "search": {"boost": 2}}
    assert (tmp_path / card).stat().st_size > 1000
    assert body.count("OOM") == 1


def test_words_of_the_search_are_of_pages(prepare):
    words = prepare.tomllib.loads((DOCS / "search.toml").read_text())
    assert all((DOCS / f"{name}.md").exists() for name in words)


def test_pictures_are_small():
    assert not [path.name for path in (DOCS / "assets").iterdir() if path.stat().st_size > MAX_BYTES]


def test_links_and_pictures_of_the_readme_are_absolute():
    targets = re.findall(r"\]\(([^)\s]+)\)", (ROOT / "README.md").read_text())
    assert len(targets) > 20
    assert not [target for target in targets if not target.startswith("https://")]


@pytest.mark.nightly
def test_both_builders_show_every_generated_table(prepare):
    subprocess.run([sys.executable, DOCS / "prepare.py"], check=True, cwd=ROOT)
    commands = {"mkdocs": [sys.executable, "-m", "mkdocs", "build", "-q"]}
    if importlib.util.find_spec("zensical"):
        commands["zensical"] = [sys.executable, "-m", "zensical", "build"]
    for builder, command in commands.items():
        subprocess.run([*command, "-f", "build/site.yml"], check=True, cwd=ROOT)
        for (page, mark), table in prepare.TABLES.items():
            place = page.removesuffix("index.md").removesuffix(".md")
            shown = (ROOT / "build" / "site" / place / "index.html").read_text()
            assert mark not in shown
            rows = len(re.findall(r"^(?:\| |<tr)(?!-)", table(), re.MULTILINE))
            parts = len(re.findall(r"^::: ", table(), re.MULTILINE))
            assert shown.count("<tr") >= rows, (builder, page)
            assert shown.count("doc-heading") >= parts, (builder, page)
