"""Imports between the floors of the package point down, and importing it is cheap."""

import json
import subprocess
import sys

from importlinter.cli import lint_imports

from _helpers import ROOT

HEAVY = ["timm", "torchvision", "huggingface_hub", "filelock", "PIL", "typer", "rich"]


def test_imports_point_down_without_a_circle():
    """The contracts are in pyproject.toml."""
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True, no_logo=True) == 0


def test_importing_the_package_imports_nothing_heavy():
    program = f"import json, sys, restorekit; print(json.dumps([name for name in {HEAVY} if name in sys.modules]))"
    printed = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)
    assert printed.returncode == 0, printed.stderr
    assert json.loads(printed.stdout) == []
