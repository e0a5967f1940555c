"""What a network is told about every image: numbers of the recipe, or numbers drawn from ranges, which degradations use.

A degradation uses the number of a condition by its name with an @ in front, as parts of a network are shared in a composition:
``{ name = "gaussian", sigma = "@noise_level" }``.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from restorekit.errors import ConfigError

MARK = "@"
NEEDED_BY_RANGES = {"layout": "photos", "probability": 1, "mixup": 0}
Numbers = Mapping[str, float]
Ranges = Mapping[str, float | Annotated[tuple[float, float], Field(strict=False)]]


def with_numbers(value: Any, numbers: Numbers, path: str) -> Any:
    """Return data of degradations with the numbers of conditions in place of their names.

    Raises:
        ConfigError: if there is no such condition; the message says where.
    """
    if isinstance(value, str) and value.startswith(MARK):
        if value[1:] not in numbers:
            known = ", ".join(map(repr, numbers)) or "nothing"
            raise ConfigError(f"{path}: {value!r} is not in data.condition, which contains {known}")
        return numbers[value[1:]]
    if isinstance(value, Mapping):
        return {key: with_numbers(each, numbers, f"{path}.{key}") for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [with_numbers(each, numbers, f"{path}[{i}]") for i, each in enumerate(value)]
    return value


def check_ranges(condition: Ranges, **others: Any) -> None:
    """Raise a ``ValueError`` if a range is not one, or other settings change images in a way that the network is not told.

    Args:
        condition: numbers and ranges.
        **others: further settings of the data.
    """
    ranges = {name: value for name, value in condition.items() if isinstance(value, Sequence)}
    for name, (low, high) in ranges.items():
        if low > high:
            raise ValueError(f"data.condition.{name} must be a range with the smallest number first; got {[low, high]}")
    for name, needed in NEEDED_BY_RANGES.items():
        if ranges and others[name] != needed:
            raise ValueError(f"data.condition has a range, which needs data.{name} = {needed!r}; got {others[name]!r}")


def check_used(condition: Ranges, degradations: Any, advice: str) -> None:
    """Raise a ``ConfigError`` unless degradations use every range: otherwise what the network is told has no meaning."""
    used = set(_names(degradations))
    for name, value in condition.items():
        if isinstance(value, Sequence) and name not in used:
            raise ConfigError(f"data.condition.{name} is a range, but no degradation uses it: {advice}")


def ends(condition: Ranges) -> list[Numbers]:
    """Return the smallest and the largest numbers that are drawn."""
    return [{name: value[i] if isinstance(value, Sequence) else value for name, value in condition.items()} for i in (0, -1)]


def _names(value: Any) -> Iterator[str]:
    """Return the names of conditions in data of degradations."""
    if isinstance(value, str):
        yield from [value[1:]] if value.startswith(MARK) else []
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _names(each)
    elif isinstance(value, Sequence):
        for each in value:
            yield from _names(each)
