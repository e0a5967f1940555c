"""The examples in docstrings run and show what they say."""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest
import torch

import restorekit


def module_names():
    return ["restorekit", *(module.name for module in pkgutil.walk_packages(restorekit.__path__, "restorekit."))]


@pytest.mark.parametrize("name", [name for name in module_names() if not name.endswith("__main__")])
def test_examples(name):
    failed, _ = doctest.testmod(importlib.import_module(name), extraglobs={"np": np, "torch": torch})
    assert failed == 0


def test_there_are_examples():
    examples = sum(
        len(test.examples) for test in doctest.DocTestFinder().find(importlib.import_module("restorekit.models._registry"))
    )
    assert examples > 0
