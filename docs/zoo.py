"""Tells what is known about all published weights, from the models and from benchmarks/results/zoo.json, for several tables."""

import html
from collections.abc import Iterable
from typing import Any

import _harness

from restorekit.models import list_models, pretrained_config

COLUMNS = {  # of the sortable table: key -> heading and format
    "name": ("weights", "s"),
    "task": ("task", "s"),
    "licence": ("licence", "s"),
    "commercial": ("commercial use", "s"),
    "parameters": ("parameters, millions", ".2f"),
    "gmacs": ("GMACs", ".1f"),
    "seconds": ("seconds", ".2f"),
    "psnr": ("PSNR, dB", ".2f"),
    "data": ("measured on", "s"),
}
FILTERS = ("task", "licence", "commercial")


def records() -> list[dict[str, Any]]:
    """Return what is known about each set of weights; figures that nobody measured are None."""
    measured = {row["architecture"]: row for row in _harness.load("zoo")["rows"]}
    return [record(name, measured.get(name.partition(".")[0], {})) for name in list_models(pretrained=True)]


def record(name: str, figures: dict[str, Any]) -> dict[str, Any]:
    """Return what is known about weights."""
    about = pretrained_config(name)
    psnr = next((metric for metric in about.metrics if metric.name == "PSNR"), None)
    return {
        "name": name,
        "task": about.task,
        "licence": about.licence.name,
        "commercial": "yes" if about.licence.commercial_use else "no",
        **{key: figures.get(key) for key in ("parameters", "gmacs", "seconds")},
        "psnr": None if psnr is None else float(psnr.value),
        "data": None if psnr is None else psnr.dataset,
        "trained_by": about.trained_by,
    }


def cell(value: Any, form: str) -> str:
    """Return a value as it is shown."""
    return "" if value is None else html.escape(format(value, form))


def sortable(rows: Iterable[dict[str, Any]]) -> str:
    """Return the table that a script lets readers sort and filter; without it, it is a plain table."""
    head = "".join(f'<th scope="col" data-key="{key}">{heading}</th>' for key, (heading, _) in COLUMNS.items())
    lines = []
    for each in rows:
        page = f'<a href="../../published/#{each["name"].replace(".", "")}"><code>{each["name"]}</code></a>'
        cells = [page, *(cell(each[key], form) for key, (_, form) in list(COLUMNS.items())[1:])]
        chosen = "".join(f' data-{key}="{html.escape(each[key])}"' for key in FILTERS)
        lines.append(f"<tr{chosen}>{''.join(f'<td>{each}</td>' for each in cells)}</tr>")
    body = "\n".join(lines)
    return f'<table class="zoo">\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>'


def families() -> str:
    """Return the short table for the README: one row for each architecture that is bundled or published."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for each in records():
        rows.setdefault(each["name"].partition(".")[0], []).append(each)
    lines = [
        "| network | task | tags | licence of the weights | commercial use | parameters | seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, group in rows.items():
        first = group[0]
        tasks = ", ".join(dict.fromkeys(each["task"] for each in group))
        tags = ", ".join(each["name"].partition(".")[2] for each in group)
        figures = f"{cell(first['parameters'], '.1f')} M | {cell(first['seconds'], '.2f')}"
        lines.append(f"| `{name}` | {tasks} | {tags} | {first['licence']} | {first['commercial']} | {figures} |")
    return "\n".join(lines)
