"""The documentation is true: its code runs, its commands exist, and nothing that is public is left out."""

import contextlib
import functools
import io
import json
import re
import runpy
import shlex
from itertools import zip_longest
from types import ModuleType, SimpleNamespace
from typing import NamedTuple

import pytest
import torch
import typer
import yaml

import restorekit
from _helpers import DOCS, ROOT
from restorekit import blocks, evaluate, losses, metrics, models, ops, publish, stages, testing
from restorekit.checkpoints import hub, originals
from restorekit.cli import app
from restorekit.cli._main import imported
from restorekit.composition import json_schema, network_arguments
from restorekit.evaluate.protocols._protocol import _protocols
from restorekit.images import all_formats
from restorekit.losses import find_loss, list_losses
from restorekit.losses._registry import _losses
from restorekit.models import architectures
from restorekit.parts import arguments_of, registry_of
from restorekit.parts import blocks as block_registry
from restorekit.parts import connectors as connector_registries
from restorekit.parts import stages as stage_registry
from restorekit.parts._factories import GIVEN

FILES = [*sorted(DOCS.rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NO_RUN = re.compile(r"<!-- no-run: [^\n]+ -->\n\Z")
ERROR = re.compile(r"(\w*Error): (.*)", re.DOTALL)
MAX_NO_RUN = 9


class Block(NamedTuple):
    """A fenced block of a page.

    Attributes:
        language: what its fence says.
        code: what it holds.
        line: where its code starts, counted from 1.
        runs: whether it is to be run.
        follows: whether nothing but blank lines is between it and the block before.
    """

    language: str
    code: str
    line: int
    runs: bool
    follows: bool


def fenced_blocks(text):
    """Return the fenced blocks of a page, in order."""
    found, end = [], 0
    for match in FENCE.finditer(text):
        before, between = text[: match.start()], text[end : match.start()]
        found.append(Block(match[1].strip(), match[2], before.count("\n") + 2, not NO_RUN.search(before), between.isspace()))
        end = match.end()
    return found


def run_page(text, name):
    """Run the Python blocks of a page in order; a text block that follows one at once says what it prints or raises."""
    found = fenced_blocks(text)
    namespace = {"__name__": "page"}
    for block, after in zip_longest(found, found[1:]):
        if block.language != "python" or not block.runs:
            continue
        expected = after.code.strip() if after is not None and after.language == "text" and after.follows else None
        error = ERROR.fullmatch(expected) if expected else None
        code = compile("\n" * (block.line - 1) + block.code, name, "exec")
        printed = io.StringIO()
        if error:
            with pytest.raises(Exception, match=re.escape(error[2])) as raised:
                exec(code, namespace)
            assert raised.type.__name__ == error[1], f"{name}:{block.line}"
            assert str(raised.value).startswith(error[2]), f"{name}:{block.line}"
            continue
        with contextlib.redirect_stdout(printed):
            exec(code, namespace)
        if expected is not None:
            assert printed.getvalue().strip() == expected, f"{name}:{block.line}"


@pytest.fixture
def as_for_users(tmp_path, monkeypatch, unchecked_annotations):
    """A working folder of its own, annotations unchecked, and registries that forget what a page registers."""
    torch.manual_seed(0)  # not as the test before left it: pages train networks
    monkeypatch.chdir(tmp_path)
    for registry in (block_registry, stage_registry, *connector_registries.values(), architectures, originals, _losses, _protocols):
        monkeypatch.setattr(registry, "_entries", {name: registry.get(name) for name in registry})


def relative(path):
    return str(path.relative_to(ROOT))


def commands():
    """Return the shell commands of all pages that start with ``restorekit``, and their pages."""
    blocks = [(path, block) for path in FILES for block in fenced_blocks(path.read_text()) if block.language == "console"]
    lines = {line.removeprefix("$ "): relative(path) for path, block in blocks for line in block.code.splitlines()}
    return {line: page for line, page in lines.items() if line.startswith("restorekit ")}


def nav_files(entries):
    """Return the pages that a nav names, in order."""
    for entry in entries:
        if isinstance(entry, str):
            yield entry
            continue
        for target in entry.values():
            yield from [target] if isinstance(target, str) else nav_files(target)


@functools.cache
def referenced():
    """Return what the API reference documents, as dotted names."""
    pages = [path.read_text() for path in sorted((DOCS / "api").glob("*.md"))]
    return set(re.findall(r"^::: ([\w.]+)$", "\n".join([*pages, built("api/models.md")]), re.MULTILINE))


def package_of(module):
    """Return the package that shows the names of a module with an underscore."""
    return module.partition("._")[0]


@pytest.mark.parametrize("path", [pytest.param(path, id=relative(path)) for path in FILES])
def test_python_blocks_run(path, as_for_users):
    run_page(path.read_text(), relative(path))


def test_few_blocks_are_not_run():
    skipped = [f"{relative(path)}:{block.line}" for path in FILES for block in fenced_blocks(path.read_text()) if not block.runs]
    assert len(skipped) <= MAX_NO_RUN, skipped


@pytest.mark.parametrize(
    ("page", "problem"),
    [
        ("```python\nprint(1)\n```\n\n```text\n2\n```\n", AssertionError),
        ("```python\nraise NameError('a')\n```\n", NameError),
        ("```python\nint('a')\n```\n\n```text\nValueError: another message\n```\n", AssertionError),
        ("```python\nint('a')\n```\n\n```text\nTypeError: invalid literal\n```\n", AssertionError),
        ("```python\n1\n```\n\n```text\nTypeError: no error\n```\n", pytest.fail.Exception),
    ],
)
def test_untrue_page_is_found(page, problem, as_for_users):
    with pytest.raises(problem):
        run_page(page, "page")


def check_command(line):
    """Raise an error if a command does not exist, an option is unknown or an argument is missing."""
    group = typer.main.get_command(app)
    name, *arguments = shlex.split(line)[1:]
    if name.startswith("-"):
        assert name in {option for parameter in group.params for option in parameter.opts}
        return
    command = imported(name) if name in group.commands else pytest.fail(f"there is no command {name}")
    if isinstance(command, typer.core.TyperGroup):
        name, *arguments = arguments
        command = command.commands[name]
    command.make_context(name, arguments)


def test_shell_commands_exist():
    for line, page in commands().items():
        try:
            check_command(line)
        except Exception as error:
            error.add_note(f"{page}: {line}")
            raise


def script(name):
    """Return the functions of a program in the folder of the documentation."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DOCS)  # as where it runs as a program
        return SimpleNamespace(**runpy.run_path(str(DOCS / name)))


@functools.cache
def built(source):
    """Return a page with its generated tables."""
    return script("prepare.py").complete(source, (DOCS / source).read_text())


def test_every_page_is_in_the_navigation():
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    script("parts.py").complete(nav)
    pages = [path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")]
    assert sorted(nav_files(nav)) == sorted([*pages, "gallery/index.md"])  # which is generated


def test_the_page_of_a_new_part_goes_into_the_navigation():
    nav = [{"Home": "index.md"}, {"Parts": ["parts/index.md", {"Block": "parts/cab.md"}]}]
    script("parts.py").complete(nav)
    section = nav[1]["Parts"]
    assert section[:2] == ["parts/index.md", {"Block": "parts/cab.md"}]
    assert {"Residual dense block": "parts/rdb.md"} in section
    assert len(list(nav_files(section))) == len(set(nav_files(section))) == len(list((DOCS / "parts").glob("*.md")))


def test_the_page_of_a_new_model_goes_into_the_navigation():
    nav = [{"Models": [{"MPRNet": "models/mprnet.md"}, {"Ablations": "ablations.md"}]}]
    script("parts.py").complete(nav)
    assert {"NAFNet": "models/nafnet.md"} in nav[0]["Models"]


def test_every_registered_part_has_a_page():
    pages_of = script("parts.py").pages_of
    for registry in (block_registry, stage_registry, *connector_registries.values()):
        for name in registry:
            pages = pages_of(registry.kind, name)
            assert len(pages) == 1, (
                f"one page in docs/parts must start with: Registered as the {registry.kind} `{name}`; found {pages}"
            )


def test_the_index_lists_every_registered_part():
    rows = re.findall(r"^\| `(\w+)` \| ([\w ]+) \| \[`\w+`\]\(\w+\.md\) \| \S", built("parts/index.md"), re.MULTILINE)
    registries = (block_registry, stage_registry, *connector_registries.values())
    assert sorted(rows) == sorted((name, registry.kind) for registry in registries for name in registry)


def test_the_table_of_formats_has_each_of_them():
    rows = re.findall(r"^\| ([\w ]+) \| `\.", built("files.md"), re.MULTILINE)
    assert rows == [record.name for record in all_formats()]


def test_the_reference_of_compositions_has_every_part_and_argument():
    *_, reference = built("composition.md").partition("## Reference")
    sections = re.split(r"^### (?:Kind of part: )?", reference, flags=re.MULTILINE)[1:]
    found = {section.partition("\n")[0]: section for section in sections}
    assert set(found) == {"A network", *GIVEN}
    for argument in network_arguments():
        assert f"\n| `{argument.name}` | " in found["A network"]
    for kind in GIVEN:
        parts = dict(zip(*[iter(re.split(r"^\*\*`(\w+)`\*\*: ", found[kind], flags=re.MULTILINE)[1:])] * 2, strict=True))
        assert list(parts) == list(registry_of(kind))
        for name, text in parts.items():
            assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == [argument.name for argument in arguments_of(kind, name)]


def test_the_schema_is_published():
    assert json.loads(script("composition.py").schema()) == json.loads(json.dumps(json_schema()))


def test_the_page_of_published_weights_is_current():
    assert (DOCS / "published.md").read_text() == script("published.py").page(), "run: python docs/published.py"


def test_every_model_is_in_the_reference():
    builders = {name: architectures.get(name).builder for name in architectures}
    names = {name: f"{package_of(builder.__module__)}.{builder.__qualname__}" for name, builder in builders.items()}
    assert not [name for name, public in names.items() if public not in referenced()]


@pytest.mark.parametrize(
    "module", [restorekit, blocks, stages, ops, metrics, models, evaluate, hub, publish], ids=lambda module: module.__name__
)
def test_every_public_name_is_in_the_reference(module):
    known, pages = referenced(), "\n".join(path.read_text() for path in (DOCS / "api").glob("*.md"))
    missing = []
    for name in module.__all__:
        value = getattr(module, name)
        home = package_of(getattr(value, "__module__", module.__name__))
        wanted = {f"{module.__name__}.{name}", f"restorekit.{name}", f"{home}.{name}"}
        if f"`{value.__name__}`" not in pages if isinstance(value, ModuleType) else not wanted & known:
            missing.append(name)
    assert not missing, f"docs/api has none of these names of {module.__name__}: {missing}"


def test_the_reference_of_recipes_is_current():
    assert (DOCS / "recipes.md").read_text() == script("recipes.py").page(), "run: python docs/recipes.py"


def test_every_loss_is_in_the_reference():
    rows = re.findall(r"^\| `(\w+)` \| \S", built("recipes.md").partition("| loss |")[2].partition("\n\n")[0], re.MULTILINE)
    assert rows == list_losses()
    names = re.findall(r"^::: restorekit\.losses\._\w+\.(\w+)$", built("api/training.md"), re.MULTILINE)
    assert [getattr(losses, name) for name in names] == [find_loss(name) for name in list_losses()]


def test_every_check_is_in_the_reference():
    for name in ("check_block", "check_stage", "check_model"):
        assert f"restorekit.testing.{name}" in referenced()
        assert callable(getattr(testing, name))
