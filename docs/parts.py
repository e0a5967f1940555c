"""Lists parts and models: pages that nobody named go into the navigation, all parts and models into the pages that list them.

``prepare.py`` calls these functions, so a part or model needs its own page and nothing else.
"""

import re
from pathlib import Path
from typing import Any

from restorekit import models
from restorekit._config import summary
from restorekit.parts import blocks, connectors, stages

DOCS = Path(__file__).parent
SECTIONS = {"Parts": "parts", "Models": "models"}  # of the navigation, and the folders of their pages


def complete(nav: list[Any]) -> None:
    """Add the pages that the navigation does not name to their sections."""
    for heading, folder in SECTIONS.items():
        section = next((entry[heading] for entry in nav if heading in entry), [])
        named = {f"{folder}/index.md"} | {target for entry in section if isinstance(entry, dict) for target in entry.values()}
        pages = {f"{folder}/{path.name}": path for path in sorted((DOCS / folder).glob("*.md"))}
        section += [{title(path): target} for target, path in pages.items() if target not in named]


def title(page: Path) -> str:
    """Return the heading of a page."""
    return page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")


def pages_of(kind: str, name: str) -> list[Path]:
    """Return the pages that start with what they say of a registered part; there should be one."""
    naming = re.compile(rf"^Registered as the {kind}s? [^.]*`{name}`", re.MULTILINE)
    return [page for page in sorted((DOCS / "parts").glob("*.md")) if naming.search(page.read_text(encoding="utf-8"))]


def table() -> str:
    """Return the table of all registered parts."""
    rows = ["| registered name | kind | class or function | what it is |", "|---|---|---|---|"]
    for registry in (blocks, *connectors.values(), stages):
        for name in registry:
            part = registry.get(name)
            links = [f"[`{part.__name__}`]({page.name})" for page in pages_of(registry.kind, name)]
            rows.append(f"| `{name}` | {registry.kind} | {' '.join(links)} | {summary(part)} |")
    return "\n".join(rows)


def builders() -> str:
    """Return the reference of the functions that build models."""
    return "\n\n".join(f"::: restorekit.models.{name}\n    options:\n      heading_level: 3" for name in models.list_models())
