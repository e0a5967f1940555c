"""What can go wrong when weights are fetched, grouped by what the user can do about it."""

import errno
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from restorekit.checkpoints.formats import first_line
from restorekit.errors import CheckpointError


class WeightsError(CheckpointError):
    """Weights that are not available; the message says what was found and what to do."""


class UnreachableError(WeightsError):
    """No useful answer: offline, no connection, a time-out, a failing server, too many requests. A later attempt may succeed.

    Attributes:
        retry_after: seconds after which another attempt makes sense; None if retrying does not help by itself.
    """

    retry_after: float | None = None


class AccessError(WeightsError):
    """The server requires authentication, or the terms must be accepted."""


class NotFoundError(WeightsError):
    """The repository, revision or file does not exist."""


class IntegrityError(WeightsError):
    """The file is not the expected one: damaged, truncated, or another file."""


class ChangedWeightsError(IntegrityError):
    """The weights differ from those of the first use. ``restorekit weights trust`` accepts new ones."""


class CacheError(WeightsError):
    """The cache cannot be written: read-only, or the disk is full."""


FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
BUSY = (408, 500, 502, 503, 504)  # answers of a server that may recover soon
PAUSE = 1.0  # seconds before another attempt, if the server does not say
LONGEST_WAIT = 30.0  # seconds; if a server asks for more, give up


@contextmanager
def explain_disk_errors(folder: Path, variable: str) -> Iterator[None]:
    """Turn errors of the file system into a :class:`CacheError` that names the folder, and the variable that moves it."""
    try:
        yield
    except OSError as error:
        where = error.filename or folder
        if error.errno in FULL:
            raise CacheError(f"the disk is full ({where}): {error.strerror}; free some space, or set {variable}") from error
        if error.errno in FORBIDDEN:
            raise CacheError(f"no permission to write {where}; set {variable} to a folder that you may write to") from error
        raise


@contextmanager
def explain_hub_errors(place: str) -> Iterator[None]:
    """Turn an error of huggingface_hub into a :class:`WeightsError`; ``place`` says what was requested, and from where."""
    from huggingface_hub import constants
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        with explain_disk_errors(Path(constants.HF_HUB_CACHE), "HF_HOME"), _long_waits_refused(place):
            yield
    except WeightsError:
        raise
    except Exception as error:
        # The cause says more than the error for a file that is not in the cache either, or for a failed upload.
        told = error.__cause__ if isinstance(error, (LocalEntryNotFoundError, RuntimeError)) else None
        known = _explained(told or error, place)
        if known is None:
            raise
        raise known from error


@contextmanager
def _long_waits_refused(place: str) -> Iterator[None]:
    """Make huggingface_hub give up if a server asks for a long wait; by default it would sleep as long as asked, even an hour."""
    from huggingface_hub import get_session

    thread = threading.get_ident()  # the session is shared, and another thread may still wait for its own request

    def check(response: Any) -> None:
        if threading.get_ident() != thread:
            return
        wait = response.headers.get("Retry-After")
        error = _of_status(response.status_code, wait, place) if response.is_error and wait else None
        if isinstance(error, UnreachableError) and (error.retry_after or 0) > LONGEST_WAIT:
            raise error

    hooks = get_session().event_hooks["response"]
    hooks.append(check)
    try:
        yield
    finally:
        hooks.remove(check)


def _explained(error: BaseException, place: str) -> WeightsError | None:
    from huggingface_hub import constants, errors

    by_type: list[tuple[type[BaseException], type[WeightsError], str]] = [
        (errors.OfflineModeIsEnabled, UnreachableError, "HF_HUB_OFFLINE is set, and no copy is in the cache"),
        (errors.GatedRepoError, AccessError, "the authors ask you to accept their terms: do so on its page, then set HF_TOKEN"),
        (errors.DisabledRepoError, NotFoundError, "the Hub has disabled this repository"),
        (errors.RevisionNotFoundError, NotFoundError, "no such revision; its page lists branches and tags"),
        (errors.RemoteEntryNotFoundError, NotFoundError, "no such file; its page lists the files"),
    ]
    for kind, explained, message in by_type:
        if isinstance(error, kind):
            return explained(f"{place}: {message}")
    if isinstance(error, errors.HfHubHTTPError):
        return _of_status(error.response.status_code, error.response.headers.get("Retry-After"), place)
    if isinstance(error, (errors.FileMetadataError, json.JSONDecodeError)):
        hint = f"check HF_ENDPOINT ({constants.ENDPOINT}), and whether this network requires a login"
        return UnreachableError(f"{place}: the answer is not from a Hub; {hint}")
    if isinstance(error, OSError) and "Consistency check failed" in str(error):
        return IntegrityError(f"{place}: the file arrived incomplete; nothing was kept, try again")
    if isinstance(error, (KeyError, TypeError, AttributeError, IndexError, ValueError, AssertionError, RecursionError)):
        told = f"{type(error).__name__}: {first_line(error)}"
        return UnreachableError(f"{place}: the answer is not what a Hub sends ({told}); check HF_ENDPOINT ({constants.ENDPOINT})")
    return _of_connection(error, place)


def _of_status(status: int, retry_after: str | None, place: str) -> WeightsError:
    if status in (401, 403):
        return AccessError(
            f"{place}: access refused (HTTP {status}): it is private, requires accepting terms, or does not exist; set HF_TOKEN "
            "to a token that may read it (or run `hf auth login`), and accept its terms on its page"
        )
    if status == 404:
        return NotFoundError(f"{place}: not found (HTTP 404); check the name, and HF_ENDPOINT if it is set")
    if status == 429:
        seconds = float(retry_after) if retry_after and retry_after.isdecimal() else 60.0
        return again(
            f"{place}: too many requests (HTTP 429); wait {seconds:g} s and try again; with HF_TOKEN the limit is higher", seconds
        )
    if status in BUSY:
        return again(f"{place}: the server failed (HTTP {status}); try again later", PAUSE)
    return UnreachableError(f"{place}: unexpected answer (HTTP {status}); check HF_ENDPOINT")


def _of_connection(error: BaseException, place: str) -> UnreachableError | None:
    from huggingface_hub import constants

    kinds = {kind.__name__ for kind in type(error).__mro__}  # huggingface_hub uses httpx or httpx2
    if "HTTPError" not in kinds:
        return None
    if "TimeoutException" in kinds:
        seconds = constants.HF_HUB_DOWNLOAD_TIMEOUT
        return again(f"{place}: no answer within {seconds} s; try again, or allow more with HF_HUB_DOWNLOAD_TIMEOUT=60", PAUSE)
    if "ConnectError" in kinds:
        return UnreachableError(
            f"{place}: no connection ({error}); check the network, proxy and HF_ENDPOINT ({constants.ENDPOINT})"
        )
    return again(f"{place}: the connection broke ({type(error).__name__}: {error}); nothing was kept, try again", PAUSE)


def again(message: str, seconds: float) -> UnreachableError:
    """Return an error that another attempt may cure, after some seconds."""
    error = UnreachableError(message)
    error.retry_after = seconds
    return error
