"""What users see of the package: its names, and how soon it starts."""

import ast
import importlib
import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import restorekit

FACES = ["restorekit"] + [
    module.name
    for module in pkgutil.walk_packages(restorekit.__path__, "restorekit.")
    if module.ispkg and not any(part.startswith("_") for part in module.name.split("."))
]


def run(program):
    """Return what a program in a new Python prints as JSON."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_dir_shows_the_public_names_before_anything_is_used():
    shown = run(f"import importlib, json; print(json.dumps({{name: dir(importlib.import_module(name)) for name in {FACES}}}))")
    assert shown == {name: sorted(importlib.import_module(name).__all__) for name in FACES}


@pytest.mark.parametrize("face", FACES)
def test_public_names_are_there_and_hide_no_module(face):
    module = importlib.import_module(face)
    assert all(getattr(module, name) is not None for name in module.__all__)
    assert len(module.__all__) == len(set(module.__all__))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = module.nothing
    for found in pkgutil.iter_modules(module.__path__):
        if found.name in module.__all__:
            assert getattr(module, found.name) is importlib.import_module(f"{face}.{found.name}")
    # Type checkers see them, too; those that are found by themselves, which are the builders of models, aside.
    tree = ast.parse(Path(module.__file__).read_text())
    imported = {alias.asname or alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    literal = next(node for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__")
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    assert set(ast.literal_eval(literal.value)) <= imported | defined


def test_names_are_there_after_one_import_and_taken_before_they_are_looked_up():
    names = [
        "data.find_pairs",
        "train.losses.l1",
        "evaluate.find_protocol",
        "export.export_model",
        "testing.check_block",
        "inspection.draw",
        "losses.l1",
    ]
    taken, found = run(f"""
import functools, json, restorekit
taken = []
for kind, name in (("block", "cab"), ("stage", "unet"), ("model", "hinet")):
    try:
        getattr(restorekit, "register_" + kind)(name)(lambda: None)
    except ValueError as error:
        taken.append(str(error).partition(",")[0])
print(json.dumps([taken, [bool(functools.reduce(getattr, name.split("."), restorekit)) for name in {names}]]))
""")
    assert taken == [f"{kind} is already registered" for kind in ("block 'cab'", "stage 'unet'", "model 'hinet'")]
    assert found == [True] * len(names)
    assert restorekit.train.losses.charbonnier is restorekit.losses.charbonnier


def test_the_builders_of_models_are_found_by_themselves():
    names = restorekit.list_models()
    assert set(names) <= set(dir(restorekit.models))
    assert restorekit.models.mprnet_tiny is restorekit.models.architectures.get("mprnet_tiny").builder


LIGHT = [["--help"], ["--version"], ["models"], ["models", "mprnet_*", "--details"], ["weights", "list"], ["weights", "--help"]]


def test_commands_that_do_not_compute_import_no_torch():
    program = f"""
import contextlib, io, json, sys
from restorekit.cli import app
heavy = {{}}
for arguments in {LIGHT}:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        app(arguments)
    assert printed.getvalue(), arguments
    heavy[" ".join(arguments)] = [name for name in ("torch", "numpy", "PIL", "safetensors") if name in sys.modules]
print(json.dumps(heavy))
"""
    assert run(program) == {" ".join(arguments): [] for arguments in LIGHT}


def test_the_list_of_commands_says_what_each_command_says():
    from restorekit.cli._main import COMMANDS, imported

    assert {name: imported(name).help.partition("\n\n")[0] for name in COMMANDS} == COMMANDS
