"""Processes that fetch weights at once or are killed, and processes that are given their places by the environment."""

import hashlib
import json
import os
import re
import subprocess
import sys

import pytest

from _helpers import HELPERS, TESTS
from _helpers import hub_server as faults
from _helpers.hub_processes import AT_ONCE, REPOSITORY
from _helpers.small_model import network, original

GOOD = original(network())


def run(arguments, hub, home, **environment):
    """Run Python as a user would, with the places in the environment."""
    variables = {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(home),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]),
    }
    command = [sys.executable, *map(str, arguments)]
    finished = subprocess.run(command, env=os.environ | variables | environment, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    return finished


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What hub_processes.py saw, and how often the server sent the file."""
    with faults.HubServer() as hub:
        hub.add(REPOSITORY, {"model_deraining.pth": GOOD})
        hub.fail(rf"GET /{REPOSITORY}/resolve/", faults.stall, times=1)
        finished = run([HELPERS / "hub_processes.py"], hub, tmp_path_factory.mktemp("hf") / "home")
        sent = len([line for line in hub.log if re.match(rf"GET /{REPOSITORY}/resolve/", line)])
        return json.loads(finished.stdout) | {"sent": sent}


@pytest.mark.parametrize("when", ["download", "conversion"])
def test_a_killed_process_leaves_no_weights_and_the_next_one_works(when, seen):
    assert seen[when]["appeared"] == 1, "it was killed too late"
    assert not seen[when]["cached"]
    assert seen[when]["again"]
    assert seen[when]["files"] == ["record.json", "weights.safetensors"]
    assert seen[when]["sha256"] == hashlib.sha256(GOOD).hexdigest()


@pytest.mark.parametrize("when", ["download", "conversion"])
def test_nothing_remains_of_what_was_killed(when, seen):
    assert seen[when]["remains"] == 0


def test_a_dozen_processes_at_once_end_with_one_good_copy(seen):
    assert seen["many"] == {
        "succeeded": AT_ONCE,
        "sha256": hashlib.sha256(GOOD).hexdigest(),
        "files": ["record.json", "weights.safetensors"],
    }
    assert seen["sent"] == 4  # twice for the killed download, once for the killed conversion, once for all of them
