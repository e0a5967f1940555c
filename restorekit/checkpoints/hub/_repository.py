"""Repositories that this library writes: a config, weights and a model card. Their content is checked before it is used."""

import dataclasses
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from restorekit._limits import FILE_SIZE, excess, excess_of
from restorekit.checkpoints.hub._api import ask, snapshot
from restorekit.checkpoints.hub._cache import Entry, Record
from restorekit.checkpoints.hub._errors import NotFoundError, WeightsError
from restorekit.checkpoints.hub._fetch import WEIGHTS_FILE
from restorekit.provenance import UNKNOWN, HubFile, LocalFile, Metric, PretrainedConfig, Source, WeightsLicence

CONFIG_FILE = "config.json"
WANTED = 'it must be a JSON object with "architecture" and "arguments", or with "composition"'
PREFIX = "hf-hub:"
COMMIT = re.compile(r"[0-9a-f]{40}")
NAME = re.compile(r"hf-hub:(?P<repository>[\w-][\w.-]*/[\w-][\w.-]*)(@(?P<revision>[\w-][\w.-]*(/[\w-][\w.-]*)*))?", re.ASCII)

logger = logging.getLogger("restorekit")


@dataclass(frozen=True)
class Repository:
    """The description of a model in a repository.

    Attributes:
        config: how the model is built: ``architecture`` and ``arguments``, or ``composition``.
        about: description of its weights.
    """

    config: Mapping[str, Any]
    about: PretrainedConfig

    @classmethod
    def open(cls, name: str, *, refresh: bool = False) -> "Repository":
        """Read the config of ``hf-hub:owner/repo[@revision]``: from the cache if its weights are there, otherwise from the Hub.

        If they are in the cache, a warning says when the Hub has others by now, or cannot be asked.

        Args:
            name: the name.
            refresh: take the config from the Hub.

        Raises:
            WeightsError: if the name is malformed, or the config is not available or not usable.
        """
        match = NAME.fullmatch(name)
        if match is None or "--" in name or ".." in name:
            raise WeightsError(
                f"{name!r} is not the name of a repository; it must look like hf-hub:owner/repo or hf-hub:owner/repo@revision"
            )
        repository, revision = match["repository"], match["revision"]
        entry = Entry(name)
        record = entry.record() if entry.weights.is_file() and not refresh else None
        if record is not None:
            _look_again(record, repository, revision)
            return cls(record.config, _about(record.config, (HubFile(repository, WEIGHTS_FILE, revision),)))
        found = snapshot(repository, revision)
        try:
            path = found.download(CONFIG_FILE)
        except NotFoundError as error:
            raise NotFoundError(f"{error}. A repository that restorekit can build a model from has a {CONFIG_FILE}") from error
        config = read_config(path, f"{CONFIG_FILE} of {repository}")
        return cls(config, _about(config, (HubFile(repository, WEIGHTS_FILE, found.commit),)))

    @classmethod
    def open_folder(cls, folder: Path) -> "Repository":
        """Read the config of a local folder that has the form of a repository.

        Raises:
            WeightsError: if there is no config, or it is not usable.
        """
        for name in (CONFIG_FILE, WEIGHTS_FILE):
            if not (folder / name).is_file():
                raise NotFoundError(f"no {name} in {folder}; model.save_pretrained(folder) writes such a folder")
        config = read_config(folder / CONFIG_FILE, str(folder / CONFIG_FILE))
        return cls(config, _about(config, (LocalFile(folder / WEIGHTS_FILE),)))


def _look_again(record: Record, repository: str, revision: str | None) -> None:
    """Warn if the weights in the cache are not those of the repository any more, or if nobody knows."""
    if revision is not None and COMMIT.fullmatch(revision):
        return  # a commit does not change
    try:
        found = ask(repository, revision, attempts=1)
    except WeightsError as error:
        logger.warning(
            "%s: the copy of %s is used, since the Hub was not able to tell whether it is current: %s",
            record.name,
            record.when,
            error,
        )
        return
    here = record.origin.rpartition("/")[2]
    there = next((file for file in found.files if file.name == here), None)
    same_file = there is not None and there.sha256 == record.sha256
    if not same_file and f"/{found.commit}/" not in record.origin:
        logger.warning(
            "%s: the copy of %s is used, but the repository has changed since then (now commit %s); to use what it has now: "
            "restorekit weights trust %s",
            record.name,
            record.when,
            found.commit[:8],
            record.name,
        )


def read_config(path: Path, origin: str) -> dict[str, Any]:
    """Return the checked content of a config file.

    Raises:
        WeightsError: if it is not a config.
    """
    if problem := excess("it has", path.stat().st_size, FILE_SIZE, "bytes"):
        raise WeightsError(f"{origin} is too large for a config: {problem}")
    try:
        config = json.loads(path.read_text())
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{origin} is not JSON ({error}); {WANTED}") from error
    return checked_config(config, origin)


def checked_config(config: Any, origin: str) -> dict[str, Any]:
    """Return a config after checking it: plain data that names an architecture and its arguments, or contains a composition.

    The data may not be large, so that nobody's config uses up time or memory.

    Raises:
        WeightsError: if it is anything else.
    """
    if not isinstance(config, dict) or ("architecture" in config) == ("composition" in config):
        raise WeightsError(f"{origin} does not say how the model is built; {WANTED}")
    problem = excess_of({key: value for key, value in config.items() if key != "weights"}) or excess_of(config, values=False)
    if problem:
        raise WeightsError(f"{origin} is too large: {problem}")
    kinds = {"architecture": str, "arguments": dict, "composition": dict, "weights": dict, "requires": list}
    for key, kind in kinds.items():
        if key in config and not isinstance(config[key], kind):
            raise WeightsError(f"{origin}: {key!r} is {config[key]!r}, expected a {kind.__name__}")
    return config


def about_to_data(about: PretrainedConfig) -> dict[str, Any]:
    """Return the description of weights as plain data, without their sources."""
    data = dataclasses.asdict(about)
    del data["sources"]
    return data


def about_from_data(data: Mapping[str, Any], origin: str, sources: tuple[Source, ...] = ()) -> PretrainedConfig:
    """Return the description of weights from plain data.

    Raises:
        WeightsError: if a field is missing or unknown.
    """
    try:
        known = _printable(data)
        known["licence"] = WeightsLicence(**_typed(known["licence"], WeightsLicence))
        known["metrics"] = tuple(Metric(**_typed(metric, Metric)) for metric in known.get("metrics", ()))
        plain = {field: known[field] for field in ("task", "training_data", "trained_by", "source")}
        _typed(plain | {"size": known.get("size")}, PretrainedConfig)
        return PretrainedConfig(**{**known, "sources": sources})
    except (TypeError, KeyError, ValueError, AttributeError, RecursionError) as error:
        fields = ", ".join(field.name for field in dataclasses.fields(PretrainedConfig) if field.name != "sources")
        raise WeightsError(f"{origin} does not describe the weights ({error}); it must have {fields}") from error


def _typed(data: Mapping[str, Any], kind: type) -> Mapping[str, Any]:
    """Return the data after checking each value against the type of its dataclass field; raise a ``TypeError`` otherwise."""
    hints = get_type_hints(kind)
    for field, value in data.items():
        if not isinstance(value, int | float if hints[field] is float else hints[field]):
            raise TypeError(f"{field} is {value!r}")
    return data


def _printable(value: Any) -> Any:
    """Return plain data with spaces for characters that would break a line or control a terminal; it may come from anyone."""
    if isinstance(value, str):
        return "".join(character if character.isprintable() else " " for character in value)
    if isinstance(value, Mapping):
        return {key: _printable(item) for key, item in value.items()}
    return [_printable(item) for item in value] if isinstance(value, list) else value


def _about(config: Mapping[str, Any], sources: tuple[Source, ...]) -> PretrainedConfig:
    """Return the description of the weights in a config; if it is not readable, nothing is stated or allowed."""
    try:
        return about_from_data(config.get("weights", {}), CONFIG_FILE, sources)
    except WeightsError:
        return PretrainedConfig("not stated", UNKNOWN, sources, "not stated", "not stated", "not stated")
