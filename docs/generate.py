"""Writes what is generated in the documentation: python docs/generate.py.

Measured figures stand in ``benchmarks/results``. A page shows a table of them between two comments, and a single figure likewise:

    <!-- figures: CASE/NAME | columns: seconds, memory | where: network=ours, float32 -->
    <!-- figure: CASE/NAME | column: seconds | where: network=ours, float32 -->6.13<!-- end -->

The name is left out where a case has one measurement; all columns and rows are shown by default. The first kind ends with the same
``<!-- end -->`` on a line of its own. docs/benchmarks.md is written as a whole, and so are the pages of published weights, of
recipes and of ablations. With ``--check``, nothing is written, and it is an error if anything would change.
"""

import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
ROOT = DOCS.parent
UNSHOWN = ("compare",)  # cases whose results tell something to those who change the library, but not to users
PAGES = ("published", "recipes", "ablations")  # programs in this folder that know a page
TABLE = re.compile(r"(<!-- figures: ([^\n]+?) -->\n).*?(<!-- end -->)", re.DOTALL)
FAMILIES = re.compile(r"(<!-- families -->\n).*?(<!-- end -->)", re.DOTALL)
FIGURE = re.compile(r"(<!-- figure: ([^\n]+?) -->)[^\n]*?(<!-- end -->)")
BENCHMARKS = """# Benchmarks

<!-- Written by docs/generate.py from benchmarks/results. -->

This page shows the measured figures, each with the command that measures it again. `python benchmarks/run.py --list` lists the
cases, and `--help` after a case shows its options. With `--record`, a case writes the results from which this page is generated.
If date and commit are missing, the figures come from an earlier report that did not state them.
"""

sys.path.insert(0, str(ROOT / "benchmarks"))

sys.path.insert(0, str(DOCS))

import _harness  # noqa: E402
import zoo  # noqa: E402
from run import cases  # noqa: E402


def benchmarks() -> str:
    """Return the page of all measurements."""
    sections = [BENCHMARKS]
    for case, text in cases().items():
        recorded = [] if case in UNSHOWN else _harness.load_all(case)
        if recorded:
            title, _, more = text.partition("\n")
            method = "\n".join(line for line in more.splitlines() if not line.startswith("    "))
            sections.append(f"## {case}\n\n{title}\n{method}\n")
            sections += [f"```console\n$ {each['command']}\n```\n\n{_harness.show(each)}\n" for each in recorded]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(sections))


def measurement(words: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the measurement that a comment names, its rows chosen, and its other options."""
    first, *rest = [part.strip() for part in words.split(" | ")]
    case, _, name = first.partition("/")
    options = dict(part.split(": ", 1) for part in rest)
    found = _harness.load(case, name or None)
    column, _, value = options.get("where", "").partition("=")
    if column:
        found = {**found, "rows": [row for row in found["rows"] if str(row[column]) == value]}
        if not found["rows"]:
            raise LookupError(f"{first} has no row with {column}={value}")
    return found, options


def table(match: re.Match[str]) -> str:
    """Return a table between its comments."""
    found, options = measurement(match[2])
    columns = options["columns"].split(", ") if "columns" in options else []
    return f"{match[1]}\n{_harness.table(found, columns)}\n\n{match[3]}"


def figure(match: re.Match[str]) -> str:
    """Return a figure between its comments."""
    found, options = measurement(match[2])
    if "value" in options:
        return f"{match[1]}{found['values'][options['value']]}{match[3]}"
    (row,) = found["rows"]
    return f"{match[1]}{_harness.cell(row[options['column']], found['columns'][options['column']][1])}{match[3]}"


def with_figures(text: str) -> str:
    """Return a page with all figures as they were measured."""
    text = FAMILIES.sub(lambda match: f"{match[1]}\n{zoo.families()}\n\n{match[2]}", text)
    return FIGURE.sub(figure, TABLE.sub(table, text))


def generated() -> Iterator[tuple[Path, str]]:
    """Yield files with what should stand in them: those that only show figures first, then those that this writes as a whole."""
    whole = [DOCS / f"{name}.md" for name in (*PAGES, "benchmarks")]
    for path in [ROOT / "README.md", *sorted(DOCS.rglob("*.md")), *sorted((ROOT / "restorekit" / "assets").rglob("*.md"))]:
        if path not in whole:
            yield path, with_figures(path.read_text(encoding="utf-8"))
    yield DOCS / "benchmarks.md", benchmarks()
    for name in PAGES:
        yield DOCS / f"{name}.md", runpy.run_path(str(DOCS / f"{name}.py"))["page"]()


def main() -> None:
    """Write, or check."""
    stale = [(path, text) for path, text in generated() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if "--check" in sys.argv[1:] and stale:
        sys.exit(f"run python docs/generate.py; it changes {', '.join(str(path.relative_to(ROOT)) for path, _ in stale)}")
    for path, text in stale:
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
