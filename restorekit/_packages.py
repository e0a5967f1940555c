"""Other packages: the versions that a result was made with, and those that only some parts of this library need."""

import importlib.metadata
import platform
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """Return the version of Python and of those of the packages that are installed."""
    versions = {"python": platform.python_version()}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


@contextmanager
def from_extra(extra: str, need: str) -> Iterator[None]:
    """Explain that a package imported in the block is missing.

    Args:
        extra: extra of this library that installs the package.
        need: what needs which package, in words.

    Raises:
        ModuleNotFoundError: if it is.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f'{need}: pip install "restorekit[{extra}]"') from error
