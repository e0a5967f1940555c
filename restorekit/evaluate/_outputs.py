"""The files that an evaluation writes: those of an earlier one may be replaced, others may not."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

RESULTS = "results.json"
"""Name of the file with all results of an evaluation."""

TABLE = "results.csv"
"""Name of the table to which evaluations add their rows."""

PAGE = "report.html"
"""Name of the report page of an evaluation."""

TITLE = b"<title>restorekit evaluation</title>"  # in the template of the page
COLUMNS = b"date,model,weights_sha256,protocol,"  # the first ones of the table


def about_submission(folder: Path) -> Path:
    """Return the file next to a submission for DND that says how it was made."""
    return folder.with_name(f"{folder.name}.json")


def foreign_files(folder: Path) -> list[Path]:
    """Return the files that an evaluation into this folder would replace, and that none has written."""
    own: dict[Path, Callable[[Path], bool]] = {
        folder / RESULTS: lambda path: {"protocol", "definition", "sets", "images"} <= _keys(path),
        folder / TABLE: lambda path: path.read_bytes().startswith(COLUMNS),
        folder / PAGE: lambda path: TITLE in path.read_bytes(),
        about_submission(folder): lambda path: {"protocol", "boxes"} <= _keys(path),
    }
    return [path for path, is_own in own.items() if path.exists() and not (path.is_file() and is_own(path))]


def _keys(path: Path) -> set[str]:
    try:
        content: Any = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return set()
    return set(content) if isinstance(content, dict) else set()
