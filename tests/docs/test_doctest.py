"""The examples in docstrings run and show what they say."""

import doctest
import importlib
import importlib.util
import pkgutil
from pathlib import Path

import numpy as np
import pytest
import torch

import restorekit


def modules_with_examples():
    """Return the names of modules whose docstrings have examples; others have nothing to try."""
    found = []
    for module in pkgutil.walk_packages(restorekit.__path__, "restorekit."):
        spec = importlib.util.find_spec(module.name)
        if ">>> " in Path(spec.origin).read_text():
            found.append(module.name)
    return found


MODULES = modules_with_examples()


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    failed, tried = doctest.testmod(importlib.import_module(name), extraglobs={"np": np, "torch": torch})
    assert failed == 0
    assert tried > 0


def test_there_are_examples():
    assert len(MODULES) > 30
