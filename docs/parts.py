"""Lists the pages of parts: those that nobody named go into the navigation, all parts into the table of their index.

MkDocs calls these functions (``hooks`` in mkdocs.yml), so a part needs its own page and nothing else.
"""

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.pages import Page

from restorekit._config import summary
from restorekit.parts import blocks, connectors, stages

FOLDER = Path(__file__).parent / "parts"
INDEX = "parts/index.md"
MARK = "<!-- parts -->"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the pages that the navigation does not name to the section of parts."""
    section = next(entry["Parts"] for entry in config.nav or [] if "Parts" in entry)
    named = {INDEX} | {target for entry in section if isinstance(entry, dict) for target in entry.values()}
    section += [{title(path): f"parts/{path.name}"} for path in sorted(FOLDER.glob("*.md")) if f"parts/{path.name}" not in named]
    return config


def on_page_markdown(markdown: str, *, page: Page, **kwargs: Any) -> str:
    """Write the table of parts into its page."""
    return markdown.replace(MARK, table()) if page.file.src_uri == INDEX else markdown


def title(page: Path) -> str:
    """Return the heading of a page."""
    return page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")


def pages_of(kind: str, name: str) -> list[Path]:
    """Return the pages that start with what they say of a registered part; there should be one."""
    naming = re.compile(rf"^Registered as the {kind}s? [^.]*`{name}`", re.MULTILINE)
    return [page for page in sorted(FOLDER.glob("*.md")) if naming.search(page.read_text(encoding="utf-8"))]


def table() -> str:
    """Return the table of all registered parts."""
    rows = ["| registered name | kind | class or function | what it is |", "|---|---|---|---|"]
    for registry in (blocks, *connectors.values(), stages):
        for name in registry:
            part = registry.get(name)
            links = [f"[`{part.__name__}`]({page.name})" for page in pages_of(registry.kind, name)]
            rows.append(f"| `{name}` | {registry.kind} | {' '.join(links)} | {summary(part)} |")
    return "\n".join(rows)
