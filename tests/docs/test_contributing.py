"""The files that CONTRIBUTING.md shows how to add: put into the package, they are found there, and nothing else need change."""

import os
import re
import shutil
import subprocess
import sys

from _helpers import ROOT

FOLDERS = {
    "register_model(": "models/_small_net.py",
    "register_loss(": "losses/_huber.py",
    "register_protocol(": "evaluate/protocols/_lol.py",
    "register_format(": "images/formats/_targa.py",
}
FOUND = """
import numpy as np
from PIL import Image

import restorekit
from restorekit import evaluate, images, losses, models
restorekit.create_model("small_net_wide", width=4)
assert "huber" in losses.list_losses()
assert "lol" in evaluate.list_protocols()
pixels = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
images.write_image(Image.fromarray(pixels), "picture.tga")
assert (np.asarray(images.read_image("picture.tga")) == pixels).all()
"""


def test_added_files_are_found(tmp_path):
    copy = tmp_path / "restorekit"
    shutil.copytree(ROOT / "restorekit", copy, ignore=shutil.ignore_patterns("__pycache__", "assets"))
    shown = re.findall("^```python\n(.*?)^```$", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    for call, name in FOLDERS.items():
        [code] = [each for each in shown if f"\n@{call}" in each or f"\n{call}" in each]
        (copy / name).write_text(code, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    subprocess.run([sys.executable, "-c", FOUND], cwd=tmp_path, env=environment, check=True)
