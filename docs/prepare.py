"""Makes the pages of the website, complete, for any builder: python docs/prepare.py && mkdocs build -f build/site.yml.

Everything goes to ``build``: ``pages``, with all generated tables, the gallery, a description and a card of each page, and
``site.yml``, with the complete navigation. So builders need no hooks, and MkDocs and Zensical show the same.
"""

import json
import re
import shutil
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

DOCS = Path(__file__).parent.resolve()
ROOT = DOCS.parent
BUILD = ROOT / "build"
sys.path[:0] = [str(DOCS), str(ROOT / "benchmarks")]

import cards  # noqa: E402
import composition  # noqa: E402
import formats  # noqa: E402
import gallery  # noqa: E402
import losses  # noqa: E402
import parts  # noqa: E402
import zoo  # noqa: E402

TABLES: Mapping[tuple[str, str], Callable[[], str]] = {  # page and mark -> what takes the place of the mark
    ("parts/index.md", "<!-- parts -->"): parts.table,
    ("api/models.md", "<!-- models -->"): parts.builders,
    ("files.md", "<!-- formats -->"): formats.table,
    ("recipes.md", "<!-- losses -->"): losses.table,
    ("api/training.md", "<!-- losses -->"): losses.reference,
    ("composition.md", "<!-- reference -->"): composition.reference,
    ("models/index.md", "<!-- zoo -->"): lambda: zoo.sortable(zoo.records()),
}
FRONT = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
SNIPPET = re.compile(r'^--8<-- "([^"]+\.md)"$', re.MULTILINE)
NOT_PROSE = re.compile(r"^(```.*?^```|<!--.*?-->|<(figure|div).*?</\2>|!!!.*?\n\n)", re.MULTILINE | re.DOTALL)
PATHS = ("extensions", "paths", "base_path", "custom_dir")  # settings that are relative to the root


def pages(target: Path) -> Iterator[tuple[str, str]]:
    """Yield all pages with their text: written ones with their tables, and those of the gallery, whose pictures go to a folder."""
    for path in sorted(DOCS.rglob("*.md")):
        yield (name := path.relative_to(DOCS).as_posix()), complete(name, path.read_text(encoding="utf-8"))
    yield from gallery.pages(target)


def complete(name: str, text: str) -> str:
    """Return a page with its generated tables."""
    for (page, mark), table in TABLES.items():
        if page == name:
            text = text.replace(mark, table())
    return text


def prose(text: str) -> str:
    """Return the first paragraph of a page, as plain text of at most 160 characters."""
    text = NOT_PROSE.sub("", text)
    found = next((each for each in re.split(r"\n\n+", text) if re.match(r"\s*[A-Z`*\[]", each)), "")
    plain = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", found)
    plain = " ".join(re.sub(r"[`*]", "", plain).split())
    return plain if len(plain) <= 160 else plain[:157].rpartition(" ")[0] + " ..."


def with_front(name: str, text: str, words: Mapping[str, Any], target: Path) -> str:
    """Return a page with a description, a card, and what ``search.toml`` says of it."""
    match = FRONT.match(text)
    front: dict[str, Any] = yaml.safe_load(match[1]) if match else {}
    body = text[match.end() :] if match else text
    whole = SNIPPET.sub(lambda snippet: (ROOT / snippet[1]).read_text(encoding="utf-8"), body)
    heading = re.search(r"^# (.+)$", whole, re.MULTILINE)
    title = heading[1].replace("`", "") if heading else "restorekit"
    front.setdefault("description", prose(whole) or f"restorekit: {title}")
    front["card"] = f"assets/cards/{name.removesuffix('.md').replace('/', '-')}.png"
    cards.draw(title, front["description"], target / front["card"])
    if "boost" in words:
        front["search"] = {"boost": words["boost"]}
    if "also" in words:
        body = body.rstrip() + f'\n\n<p class="also">Other words for it: {", ".join(words["also"])}.</p>\n'
    return f"---\n{yaml.safe_dump(front, allow_unicode=True, width=1000)}---\n\n{body.lstrip()}"


def settings(target: Path) -> dict[str, Any]:
    """Return the settings of the builders: mkdocs.yml with a complete navigation and absolute paths."""
    found = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    parts.complete(found["nav"])
    gallery.complete(found["nav"])
    return absolute(found) | {"docs_dir": target.name, "site_dir": "site"}


def absolute(value: Any, key: str = "") -> Any:
    """Return settings whose paths are absolute, since the file is elsewhere."""
    if isinstance(value, dict):
        return {name: absolute(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [absolute(each, key) for each in value]
    return str(ROOT / value) if key in PATHS and isinstance(value, str) else value


def main() -> None:
    """Write all of it."""
    target = BUILD / "pages"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(DOCS / "assets", target / "assets")
    words = tomllib.loads((DOCS / "search.toml").read_text(encoding="utf-8"))
    for name, text in pages(target):
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(with_front(name, text, words.get(name.removesuffix(".md"), {}), target), encoding="utf-8")
    (target / "composition.schema.json").write_text(composition.schema())
    (target / "models.json").write_text(json.dumps(zoo.records(), indent=1) + "\n")
    (BUILD / "site.yml").write_text(yaml.safe_dump(settings(target), sort_keys=False, allow_unicode=True))


if __name__ == "__main__":
    main()
