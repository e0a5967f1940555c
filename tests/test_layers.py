"""Imports between the layers of the package point down, and importing it is cheap."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import restorekit

ROOT = Path(restorekit.__file__).parent

# From the bottom. Parts of one row do not import each other.
LAYERS = [
    {"ops", "registry", "pretrained", "memory", "allocator"},
    {"parts"},
    {"model"},
    {"blocks"},
    {"stages"},
    {"composition", "flax"},
    {"checkpoint"},
    {"hub"},
    {"zoo"},
    {"models"},
    {"publish"},
    {"metrics", "data"},
    {"testing", "inspection"},
    {"drawing"},
    {"inference"},
    {"restoring"},
    {"evaluate"},
    {"train"},
    {"cli"},
]
RANKS = {part: rank for rank, parts in enumerate(LAYERS) for part in parts}
TOP = len(LAYERS)  # the package itself: only the command line may import from it

UPWARD = {("model.py", "restorekit.publish")}  # a method that passes a model on, for those who look for it there

HEAVY = ["timm", "torchvision", "huggingface_hub", "filelock", "PIL", "typer", "rich"]


def part_of(module):
    """Return the layer's part that a dotted module name belongs to; ``""`` is the package itself."""
    return module.split(".")[1] if "." in module else ""


def imports_of(path):
    """Return the modules of this package that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.split(".")[0] == "restorekit"}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}, line {node.lineno}: imports are absolute in this package"
            if node.module == "restorekit":
                found |= {f"restorekit.{alias.name}" if alias.name in RANKS else "restorekit" for alias in node.names}
            elif node.module.startswith("restorekit."):
                found.add(node.module)
    return found


def files():
    return [path for path in sorted(ROOT.rglob("*.py")) if path != ROOT / "__init__.py"]


def test_every_part_of_the_package_has_its_layer():
    parts = {path.relative_to(ROOT).parts[0].removesuffix(".py") for path in files()} - {"__main__"}
    assert parts <= set(RANKS), "say in LAYERS where the new part stands, and in the design page"
    assert set(RANKS) <= parts, "LAYERS names parts that do not exist"


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path):
    own = path.relative_to(ROOT).parts[0].removesuffix(".py")
    rank = RANKS.get(own, TOP)
    for module in imports_of(path):
        part = part_of(module)
        if (str(path.relative_to(ROOT)), module) in UPWARD:
            continue
        if part == "":
            assert rank >= RANKS["cli"], f"{own} imports the package itself; import the module that defines the name"
        elif part != own:
            assert RANKS[part] < rank, f"{own} imports {module}; layers import only what is below them"


def test_imports_are_found(tmp_path):
    path = tmp_path / "module.py"
    path.write_text(
        "import restorekit.zoo\ndef f():\n    from restorekit import ops, __version__\n    from restorekit.cli.main import x\n"
    )
    assert imports_of(path) == {"restorekit.zoo", "restorekit.ops", "restorekit", "restorekit.cli.main"}


def test_importing_the_package_imports_nothing_heavy():
    program = f"import json, sys, restorekit; print(json.dumps([name for name in {HEAVY} if name in sys.modules]))"
    printed = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)
    assert printed.returncode == 0, printed.stderr
    assert json.loads(printed.stdout) == []
