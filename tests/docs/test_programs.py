"""Files and commands in a section of the examples are programs, which do what the section says."""

import os
import re
import shlex
import subprocess
import sys

import pytest

from _helpers import DOCS, ROOT
from _helpers.marks import mostly_nightly

FILE = re.compile(r'^```\w+ title="([^"\n]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)
COMMANDS = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROGRAMS = {  # as they run here: without a network, and into the folder of the test
    "pip": ["-m", "pip", "--no-cache-dir", "install", "--no-deps", "--no-build-isolation", "--target", "site"],
    "python": [],
    "restorekit": ["-m", "restorekit"],
    "torchrun": ["-m", "torch.distributed.run"],
}
SECTIONS = {
    text.partition("\n")[0]: text for text in (DOCS / "examples.md").read_text().split("\n## ")[1:] if COMMANDS.search(text)
}


@mostly_nightly("section", SECTIONS, {"Parts from another package", "A custom loop"})
def test_programs_of_the_examples_run(section, tmp_path):
    if section == "Lightning":
        pytest.importorskip("pytorch_lightning", reason="pytorch-lightning is not installed; pip install -e '.[dev]'")
    for name, content in FILE.findall(SECTIONS[section]):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    for command in "".join(COMMANDS.findall(SECTIONS[section])).splitlines():
        name, *arguments = shlex.split(command.removeprefix("$ "))
        run(PROGRAMS[name] + arguments[name == "pip" :], tmp_path)


def run(arguments, folder):
    """Run a program of this Python in a folder, whose packages it finds."""
    path = os.pathsep.join([str(ROOT), str(folder / "site"), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
