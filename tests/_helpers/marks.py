"""Which tests every run has, and which only the nightly one."""

from collections.abc import Collection, Iterable
from functools import partial

import pytest

nightly = partial(pytest.param, marks=pytest.mark.nightly)


def mostly_nightly(argument: str, values: Iterable[str], always: Collection[str]) -> pytest.MarkDecorator:
    """Parametrize; every run has the values in ``always``, and the nightly run the others."""
    return pytest.mark.parametrize(argument, [value if value in always else nightly(value) for value in values])
