"""Fetching one file into the cache from the sources that a config names."""

import datetime
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from restorekit._files import sha256_of
from restorekit.checkpoints.hub._api import discard, patiently, snapshot
from restorekit.checkpoints.hub._cache import Cached, Entry, Record, content_of, disk_errors_explained, home
from restorekit.checkpoints.hub._deadline import within_deadline
from restorekit.checkpoints.hub._errors import (
    AccessError,
    CacheError,
    ChangedWeightsError,
    IntegrityError,
    NotFoundError,
    UnreachableError,
    WeightsError,
)
from restorekit.errors import CheckpointError
from restorekit.provenance import Bundled, Drive, HubFile, LocalFile, PretrainedConfig, WebFile

Convert = Callable[[Path, Path], None]  # (checkpoint, safetensors file to write); raises a CheckpointError if it does not fit

WEIGHTS_FILE = "model.safetensors"  # in the repositories that this library writes
DRIVE_RETRIES = 2
UNKNOWN_SIZE = 100_000_000  # bytes to allow time for, if the size of a file is not known

logger = logging.getLogger("restorekit")


@dataclass(frozen=True)
class Download:
    """A file that was downloaded.

    Attributes:
        path: where it is.
        origin: address it was downloaded from.
        pinned: checksum that it must have, if any.
        discard: removes it, so that it is downloaded again the next time.
    """

    path: Path
    origin: str
    pinned: str | None
    discard: Callable[[], None]


def in_place(about: PretrainedConfig) -> Path | None:
    """Return the file if it is already on this machine, in the package or at the path in the config; else None.

    Raises:
        IntegrityError: if its checksum is not the pinned one.
    """
    for source in about.sources:
        if isinstance(source, (Bundled, LocalFile)) and source.path.is_file():
            if source.sha256 not in (None, found := sha256_of(source.path)):
                raise IntegrityError(f"{source.path} has sha256 {found}, pinned is {source.sha256}; restore the original file")
            return source.path
    return None


def obtain(name: str, about: PretrainedConfig, convert: Convert, config: Mapping[str, Any], *, trust: bool = False) -> Cached:
    """Return weights from the cache; if they are not there, download, check, convert and keep them.

    Args:
        name: name of the weights.
        about: where they are; RESTOREKIT_MIRROR is tried first if their licence allows copies.
        convert: converts the downloaded file to a safetensors file, or raises an error.
        config: how the model is built, for the record.
        trust: download again, and accept weights that differ from those of the first use.

    Raises:
        CheckpointError: if they are not available or do not fit; no partial file is left.
    """
    entry = Entry(name)
    cached = None if trust else entry.cached()
    if cached is not None:
        return cached
    with entry.locked():
        cached = None if trust else entry.cached()  # another process may have been faster meanwhile
        if cached is None:
            cached = _fetch(entry, about, convert, config, None if trust else entry.record())
            logger.warning(
                "%s (%.1f MiB, from %s): %s%s",
                name,
                cached.record.size / 2**20,
                cached.record.origin,
                about.licence.summary,
                f"; terms: {about.licence.url}" if about.licence.url else "",
            )
    return cached


def _fetch(entry: Entry, about: PretrainedConfig, convert: Convert, config: Mapping[str, Any], first: Record | None) -> Cached:
    failures: list[CheckpointError] = []
    for downloads in _places(entry, about):
        try:
            for download in downloads:
                try:
                    cached = _accept(entry, download, convert, config, first)
                    for failure in failures:
                        logger.warning("%s: skipped: %s", entry.name, failure)
                    return cached
                except CacheError:
                    raise
                except CheckpointError as error:
                    download.discard()
                    if isinstance(error, ChangedWeightsError):
                        raise
                    failures.append(error)
        except (ChangedWeightsError, CacheError):
            raise
        except CheckpointError as error:
            failures.append(error)
    raise _combined(entry, failures)


def _places(entry: Entry, about: PretrainedConfig) -> Iterator[Iterator[Download]]:
    owner = os.environ.get("RESTOREKIT_MIRROR")
    if owner and "/" not in entry.name and about.licence.redistribution:
        yield _from_hub(HubFile(f"{owner}/{entry.name}", WEIGHTS_FILE), None)
    for source in about.sources:
        if isinstance(source, HubFile):
            yield _from_hub(source, about.size)
        elif isinstance(source, Drive):
            yield _from_drive(source, entry, about.size)
        elif isinstance(source, WebFile):
            yield _from_web(source, entry, about.size)
        else:
            yield _from_disk(source)


def _from_hub(source: HubFile, size: int | None) -> Iterator[Download]:
    found = snapshot(source.repository, source.revision)
    for name in found.candidates(source, size):
        path = found.download(name)
        keep = found.folder is not None  # offline, it could not be downloaded again
        yield Download(path, found.url(name), source.sha256, (lambda: None) if keep else partial(discard, path))


def _from_disk(source: Bundled | LocalFile) -> Iterator[Download]:
    """Raise an error: a file that is there was used where it is."""
    raise NotFoundError(f"there is no file {source.path}; restore it, or change the path in the model's registration")
    yield


def _from_drive(source: Drive, entry: Entry, size: int | None) -> Iterator[Download]:
    from huggingface_hub import constants

    by_hand = f"download {source.url} in a browser and pass the path of the file with pretrained= (--weights in the shell)"
    if constants.HF_HUB_OFFLINE:
        raise UnreachableError(f"{source}: HF_HUB_OFFLINE is set")
    try:
        import gdown
        from gdown.exceptions import DownloadError, FileURLRetrievalError
        from requests import RequestException
    except ImportError as error:
        raise WeightsError(f'{source}: needs gdown; pip install "restorekit[drive]", or {by_hand}') from error
    target = entry.incoming / "download.pth"
    try:
        with disk_errors_explained():
            download = partial(
                gdown.download,
                id=source.id,
                output=str(target),
                quiet=not sys.stderr.isatty(),
                use_cookies=False,
                timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT,
                retries=DRIVE_RETRIES,
            )
            within_deadline(download, str(source), size or UNKNOWN_SIZE)
    except FileURLRetrievalError as error:
        raise AccessError(
            f"{source}: received a page instead of the file (too many downloads, or no longer shared); {by_hand}"
        ) from error
    except (DownloadError, RequestException) as error:
        raise UnreachableError(f"{source}: {_trouble(error)}; try again, or {by_hand}") from error
    yield Download(target, source.url, source.sha256, target.unlink)


def _trouble(error: Exception) -> str:
    """Return what went wrong with Drive; the messages of requests repeat addresses and contain class names."""
    from huggingface_hub import constants
    from requests import ConnectionError as Broken
    from requests import Timeout
    from requests.exceptions import ChunkedEncodingError

    cause = error.__cause__ or error
    if isinstance(cause, Timeout) or "timed out" in str(cause):  # in the middle of a file, it is a ConnectionError
        return f"no answer within {constants.HF_HUB_DOWNLOAD_TIMEOUT} s; HF_HUB_DOWNLOAD_TIMEOUT=60 allows more"
    if isinstance(cause, (Broken, ChunkedEncodingError)):
        return "the connection failed; check the network and proxy"
    return str(cause).splitlines()[0]


def _from_web(source: WebFile, entry: Entry, size: int | None) -> Iterator[Download]:
    from huggingface_hub import constants
    from huggingface_hub.file_download import http_get

    if constants.HF_HUB_OFFLINE:
        raise UnreachableError(f"{source}: HF_HUB_OFFLINE is set")
    target = entry.incoming / Path(urlsplit(source.url).path).name
    with disk_errors_explained(), target.open("wb") as file:
        patiently(partial(http_get, source.url, file), source.url, size or UNKNOWN_SIZE, attempts=1)
    yield Download(target, source.url, source.sha256, target.unlink)


def _accept(entry: Entry, download: Download, convert: Convert, config: Mapping[str, Any], first: Record | None) -> Cached:
    from safetensors.torch import load_file

    found = sha256_of(download.path)
    if download.pinned not in (None, found):
        raise IntegrityError(f"{download.origin} has sha256 {found}, pinned is {download.pinned}; the file was not used")
    with download.path.open("rb") as file:
        if file.read(64).lstrip().startswith(b"<"):
            raise IntegrityError(
                f"{download.origin} is a web page, not weights: a notice, or the login page of a network; open it in a browser"
            )
    converted = entry.incoming / "weights.safetensors"
    try:
        with disk_errors_explained():
            convert(download.path, converted)
    except WeightsError:
        raise
    except CheckpointError as error:
        raise CheckpointError(f"{download.origin}: {error}") from error
    content = content_of(load_file(converted))
    if first is not None and content != first.content:
        raise ChangedWeightsError(
            f"the weights {entry.name} differ from those of the first use: on {first.when}, sha256 {first.sha256} came from "
            f"{first.origin}; now, sha256 {found} comes from {download.origin}. If that is intended, accept it: "
            f"restorekit weights trust {entry.name}"
        )
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    with disk_errors_explained():
        return entry.put(converted, origin=download.origin, sha256=found, content=content, when=now, config=config)


def _combined(entry: Entry, failures: list[CheckpointError]) -> CheckpointError:
    """Return one error that reports all failures; of a kind that a later attempt may cure, if one of them is."""
    if not failures:
        return NotFoundError(f"no source is known for the weights {entry.name}")
    kind = next((type(failure) for failure in failures if isinstance(failure, UnreachableError)), type(failures[0]))
    told = "".join(f"\n- {failure}" for failure in failures)
    advice = ""
    if kind is UnreachableError:
        advice = (
            f"\nFor a machine without a connection: run `restorekit weights download {entry.name}` on another one, and copy "
            f"the folder {entry.folder.name} of its cache to {home()}"
        )
    return kind(f"the weights {entry.name} are not available:{told}{advice}")
