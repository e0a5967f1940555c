"""From where weights are published to a checked file on this machine."""

from restorekit.hub.cache import Cached, Entry, Record, entries, home
from restorekit.hub.errors import (
    AccessError,
    CacheError,
    ChangedWeightsError,
    IntegrityError,
    NotFoundError,
    UnreachableError,
    WeightsError,
)
from restorekit.hub.fetch import in_place, obtain
from restorekit.hub.repository import Repository, about_from_data, about_to_data

__all__ = [
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
    "entries",
    "home",
    "in_place",
    "obtain",
]
