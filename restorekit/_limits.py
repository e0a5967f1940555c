"""Limits on the size of what files describe, so that none uses up the time or the memory of those who open it."""

import math
import os
from collections.abc import Mapping
from typing import Any

from restorekit.errors import ConfigError

VARIABLE = "RESTOREKIT_MAX_SIZE"
FILE_SIZE = 2**20  # bytes of a config
DEPTH = 32  # of lists and mappings inside each other
ENTRIES = 10_000  # of all lists and mappings in a config
TEXT = 1_000  # characters of a name or another text
NUMBER = 2**14  # a count, width or size


def setting(variable: str, usual: float) -> float:
    """Return the positive number in an environment variable, or the usual one if it is not set.

    Raises:
        ConfigError: if the variable is not a positive number.
    """
    text = os.environ.get(variable, str(usual))
    try:
        if 0 < float(text) < math.inf:
            return float(text)
    except ValueError:
        pass
    raise ConfigError(f"{variable} must be a positive number, such as {10 * usual:g}; got {text!r}")


def limit(usual: int) -> int:
    """Return a limit: the usual one, times the environment variable RESTOREKIT_MAX_SIZE."""
    return int(usual * setting(VARIABLE, 1.0))


def excess(what: str, number: int, usual: int, unit: str) -> str:
    """Return a sentence if a number exceeds a limit, which says how to lift it; otherwise nothing.

    Args:
        what: what has the number, with its verb, such as ``"the file has"``.
        number: how large it is, at least.
        usual: the usual limit.
        unit: what is counted.

    Example:
        >>> excess("it has", 3_000, 2**10, "bytes")
        'it has 3,000 bytes, and the limit is 1,024; if you trust its source, set RESTOREKIT_MAX_SIZE=3 for 3 times the limit'
    """
    most = limit(usual)
    if number <= most:
        return ""
    factor = -(-number // usual)
    lift = f"={factor} for {factor} times the limit" if factor < 10**6 else " to a factor for this limit"
    shown = f"{number:,}" if number < 2**64 else f"more than 2^{number.bit_length() - 1}"
    return f"{what} {' '.join((shown, unit)).strip()}, and the limit is {most:,}; if you trust its source, set {VARIABLE}{lift}"


def excess_of(data: Any, *, values: bool = True) -> str:
    """Return a sentence if plain data are too large, too deep or contain something too large; otherwise nothing.

    Data may contain themselves: they are then too deep.

    Args:
        data: the data.
        values: whether numbers and texts have limits, too.
    """
    entries, waiting = 0, [(data, "", 1)]
    while waiting:
        value, place, depth = waiting.pop()
        inside = dict(value) if isinstance(value, Mapping) else dict(enumerate(value)) if isinstance(value, list | tuple) else {}
        entries += len(inside)
        problem = excess("it is nested", depth, DEPTH, "levels deep") or excess("it has", entries, ENTRIES, "entries")
        for text in [value, *inside] if values and isinstance(value, str | Mapping) else ():
            if isinstance(text, str):
                problem = problem or excess(f"a name or text in {place or 'it'} has", len(text), TEXT, "characters")
        if values and isinstance(value, int):
            problem = problem or excess(f"{place or 'it'} is", abs(value), NUMBER, "")
        if problem:
            return problem
        waiting += [(each, _place(place, key), depth + 1) for key, each in inside.items()]
    return ""


def _place(place: str, key: object) -> str:
    return f"{place}[{key}]" if isinstance(key, int) else f"{place}.{key}" if place else str(key)
