"""Writes the reference of compositions into the page, from signatures and docstrings, and the schema beside it.

MkDocs calls these functions (``hooks`` in mkdocs.yml), so neither can be out of date.
"""

import inspect
import json
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from restorekit.composition import argument_docs, json_schema, network_arguments, summary
from restorekit.parts import GIVEN, Argument, arguments_of, in_words, part_kind, registry_of
from restorekit.stages import MultiStage

PAGE, SCHEMA = "composition.md", "composition.schema.json"
MARK = "<!-- reference -->"


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Publish the schema."""
    files.append(File.generated(config, SCHEMA, content=schema()))
    return files


def on_page_markdown(markdown: str, *, page: Page, **kwargs: Any) -> str:
    """Write the reference into its page."""
    return markdown.replace(MARK, reference()) if page.file.src_uri == PAGE else markdown


def schema() -> str:
    """Return the schema as text."""
    return json.dumps(json_schema(), indent=1) + "\n"


def reference() -> str:
    """Return the reference: a table for the network, and one for each part."""
    docs = argument_docs(MultiStage)
    stages = f"| `stages` | a list of [stages](#kind-of-part-stage) | | {docs['stages']} |"
    shared = "| `shared` | a mapping | | [activations](#kind-of-part-activation) that parts share, by name |"
    sections = ["### A network\n", table(network_arguments(), docs, before=stages, after=shared)]
    for kind in GIVEN:
        sections.append(f"\n### Kind of part: {kind}\n")
        for name in registry_of(kind):
            target = registry_of(kind).get(name)
            sections.append(f"**`{name}`**: {summary(target)}\n")
            arguments = arguments_of(kind, name)
            sections.append(table(arguments, argument_docs(target)) + "\n" if arguments else "")
    return "\n".join(sections)


def table(arguments: list[Argument], docs: dict[str, str], before: str = "", after: str = "") -> str:
    """Return a table of arguments."""
    rows = [before] if before else []
    for argument in arguments:
        default = "" if argument.default is inspect.Parameter.empty else f"`{plain(argument.default)}`"
        rows.append(f"| `{argument.name}` | {takes(argument.hint)} | {default} | {docs.get(argument.name, '')} |")
    return "\n".join(["| argument | takes | default | meaning |", "|---|---|---|---|", *rows, *([after] if after else [])])


def takes(hint: Any) -> str:
    """Return what an argument takes, with a link if that is a part."""
    kind = part_kind(hint)
    return in_words(hint) if kind is None else f"[{in_words(hint)}](#kind-of-part-{kind})"


def plain(default: object) -> str:
    """Return a default value as a composition would write it."""
    return (
        json.dumps(default) if isinstance(default, (bool, int, float, str, tuple, type(None))) else getattr(default, "__name__", "")
    )
