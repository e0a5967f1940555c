"""Fetching published weights into a checked file on this machine."""

from restorekit.checkpoints.hub._api import client, patiently
from restorekit.checkpoints.hub._cache import Cached, Entry, Record, content_of, entries, home
from restorekit.checkpoints.hub._errors import (
    AccessError,
    CacheError,
    ChangedWeightsError,
    IntegrityError,
    NotFoundError,
    UnreachableError,
    WeightsError,
)
from restorekit.checkpoints.hub._fetch import WEIGHTS_FILE, in_place, obtain
from restorekit.checkpoints.hub._repository import CONFIG_FILE, Repository, about_from_data, about_to_data, checked_config

__all__ = [
    "CONFIG_FILE",
    "WEIGHTS_FILE",
    "AccessError",
    "CacheError",
    "Cached",
    "ChangedWeightsError",
    "Entry",
    "IntegrityError",
    "NotFoundError",
    "Record",
    "Repository",
    "UnreachableError",
    "WeightsError",
    "about_from_data",
    "about_to_data",
    "checked_config",
    "client",
    "content_of",
    "entries",
    "home",
    "in_place",
    "obtain",
    "patiently",
]

__dir__ = __all__.copy
