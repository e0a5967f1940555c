"""The versions of Python and packages that a result was made with."""

import importlib.metadata
import platform
from collections.abc import Iterable


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """Return the version of Python and of those of the packages that are installed."""
    versions = {"python": platform.python_version()}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
