"""What a release consists of: extras are for users, versions agree, subjects of commits are checked, and workflows can be read."""

import re
import subprocess
import tomllib

import pytest
import yaml

import restorekit
from _helpers import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DEVELOPERS = {"pytest", "mypy", "ruff", "mkdocs", "mkdocs-material", "mkdocstrings", "twine", "hypothesis", "pre-commit", "bm3d"}


def names(requirements):
    """Return the names of required packages."""
    return {re.split(r"[\[<>=; ]", each)[0].lower() for each in requirements if isinstance(each, str)}


def test_extras_are_for_users():
    extras = PROJECT["project"]["optional-dependencies"]
    assert not {name: found for name, each in extras.items() if (found := names(each) & DEVELOPERS)}
    groups = PROJECT["dependency-groups"]
    included = {entry["include-group"] for each in groups.values() for entry in each if isinstance(entry, dict)}
    assert included <= set(groups)
    of_dev = set().union(*(names(groups[group]) for group in {"dev", *included}))
    assert of_dev >= DEVELOPERS - {"bm3d"}, "the group dev is enough for .ci/run"


def test_versions_agree():
    version = restorekit.__version__
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert str(citation["version"]) == version
    assert citation["license"] == PROJECT["project"]["license"]
    dated = re.findall(r"^## (\S+) - (\d{4}-\d\d-\d\d)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert (version, str(citation["date-released"])) in dated


def test_workflows_and_forms_can_be_read():
    files = [*(ROOT / ".github").rglob("*.yml")]
    assert len(files) >= 8
    for path in files:
        content = yaml.safe_load(path.read_text())
        if path.parent.name == "workflows":
            assert {"name", "jobs"} <= set(content)
            scripts = set(re.findall(r"\.ci/\w+", path.read_text()))
            assert all((ROOT / script).is_file() for script in scripts), path
        elif path.name != "config.yml":
            assert {"name", "description", "body"} <= set(content), path


@pytest.mark.parametrize(
    ("subject", "good"),
    [
        ("tests: find what is missing", True),
        ("cli, train: name the file", True),
        ("Merge branch 'main' into files", True),
        ("Find what is missing", False),
        ("tests:no space", False),
        (f"tests: {'long' * 20}", False),
    ],
)
def test_subjects_of_commits(subject, good, tmp_path):
    message = tmp_path / "message"
    message.write_text(f"{subject}\n\nThe body says why.\n")
    done = subprocess.run(["bash", ROOT / ".ci" / "commits", message], capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == good, done.stderr
    assert good or subject in done.stderr
