"""All traffic with the Hugging Face Hub: through huggingface_hub, with helpful errors and verified checksums."""

import contextlib
import fnmatch
import time
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TypeVar

from filelock import FileLock, Timeout

from restorekit._files import sha256_of
from restorekit.checkpoints.formats import weight_suffixes
from restorekit.checkpoints.hub._deadline import within_deadline
from restorekit.checkpoints.hub._errors import LONGEST_WAIT, IntegrityError, NotFoundError, UnreachableError, explain_hub_errors
from restorekit.provenance import HubFile

if TYPE_CHECKING:
    from huggingface_hub import HfApi

T = TypeVar("T")

ATTEMPTS = 3
TYPES = (str, int | None, str | None)  # of the name, size and checksum of a file
SIZE_TOLERANCE = 0.02  # published sizes are rounded


@dataclass(frozen=True)
class RepositoryFile:
    """A file in a repository.

    Attributes:
        name: its name in the repository.
        size: size in bytes, if the Hub states it.
        sha256: its checksum, if the Hub states it.
    """

    name: str
    size: int | None
    sha256: str | None


@dataclass(frozen=True)
class Snapshot:
    """The files of a repository at one commit.

    Attributes:
        repository: ``"owner/name"``.
        commit: hash of the commit.
        files: its files.
        folder: where they are, if they come from the cache because the Hub is not available.
    """

    repository: str
    commit: str
    files: tuple[RepositoryFile, ...]
    folder: Path | None = None

    def download(self, name: str) -> Path:
        """Return the path of a file in the cache of huggingface_hub, downloading it if it is not there.

        Raises:
            WeightsError: if it is not available, or its checksum is not the one that the Hub states.
        """
        place = f"{name} of {self.repository}"
        file = next((file for file in self.files if file.name == name), None)
        if file is None:
            raise NotFoundError(f"{place}: no such file; the repository has {_listed(self.files)}")
        if _leads_out(name):
            raise IntegrityError(
                f"{place}: this name points outside the folder of the repository and is refused; please report it to the Hub"
            )
        if self.folder is not None:
            return self.folder / name

        def fetch(again: bool) -> Path:
            return Path(str(client().hf_hub_download(self.repository, name, revision=self.commit, force_download=again)))

        for again in (False, True):  # a cached copy may be damaged; a file that arrives damaged twice is refused
            path = patiently(partial(fetch, again), place, file.size or 0)
            if file.sha256 in (None, found := sha256_of(path)):
                _discard_partial(path)
                return path
        discard(path)
        raise IntegrityError(f"{place}: damaged: sha256 is {found}, the Hub states {file.sha256}; nothing was kept, try again")

    def candidates(self, source: HubFile, size: int | None) -> Iterator[str]:
        """Yield the names of files that may contain the weights, likely ones first.

        Raises:
            NotFoundError: if there is none.
        """
        suffixes = weight_suffixes()
        files = [file for file in self.files if file.name.endswith(suffixes)]
        chosen = [file for file in files if fnmatch.fnmatch(file.name.lower(), source.filename.lower())]
        if not chosen and size is not None:
            chosen = [file for file in files if file.size is not None and abs(file.size - size) <= SIZE_TOLERANCE * size]
        if not chosen:
            raise NotFoundError(f"{self.repository}: no weights in it match {source.filename!r}; it has {_listed(self.files)}")
        rank = [next(i for i, suffix in enumerate(suffixes) if file.name.endswith(suffix)) for file in chosen]
        yield from (file.name for _, file in sorted(zip(rank, chosen, strict=True), key=lambda pair: (pair[0], pair[1].name)))

    def url(self, name: str) -> str:
        """Return the address of a file."""
        return f"{client().endpoint}/{self.repository}/resolve/{self.commit}/{name}"


def client() -> "HfApi":
    """Return the client; HF_ENDPOINT, HF_TOKEN and the others were read when huggingface_hub was imported."""
    from huggingface_hub import HfApi

    return HfApi(library_name="restorekit")


def snapshot(repository: str, revision: str | None) -> Snapshot:
    """Return the files of a repository, from the Hub, or from the cache of huggingface_hub if the Hub is not available.

    Raises:
        WeightsError: if neither has it.
    """
    try:
        return ask(repository, revision)
    except UnreachableError:
        cached = _cached_snapshot(repository, revision)
        if cached is None:
            raise
        return cached


def ask(repository: str, revision: str | None, attempts: int = ATTEMPTS) -> Snapshot:
    """Return the files of a repository as the Hub states them now.

    Raises:
        WeightsError: if there is no such repository, or no useful answer.
    """
    from huggingface_hub import constants

    def files() -> Snapshot:
        timeout = constants.HF_HUB_DOWNLOAD_TIMEOUT
        info = client().model_info(repository, revision=revision, files_metadata=True, timeout=timeout)
        stated = [RepositoryFile(s.rfilename, s.size, s.lfs.sha256 if s.lfs else None) for s in info.siblings or []]
        if not all(isinstance(value, kind) for file in stated for value, kind in zip(astuple(file), TYPES, strict=True)):
            raise TypeError("the names, sizes or checksums of its files have wrong types")
        return Snapshot(repository, str(info.sha or "main"), tuple(stated))

    return patiently(files, f"{repository}{f'@{revision}' if revision else ''}", attempts=attempts)


def patiently(call: Callable[[], T], place: str, size: int = 0, attempts: int = ATTEMPTS) -> T:
    """Return the result of ``call``; while the server is busy, wait and try again, but not beyond the deadline.

    Raises:
        WeightsError: if the last attempt fails, or the deadline passes.
    """

    def persist() -> T:
        for attempt in range(attempts):
            try:
                with explain_hub_errors(place):
                    return call()
            except UnreachableError as error:
                wait = error.retry_after
                if wait is None or wait > LONGEST_WAIT or attempt == attempts - 1:
                    raise
                time.sleep(wait * 2**attempt)
        raise AssertionError("the last attempt returns or raises")

    return within_deadline(persist, place, size)


def discard(path: Path) -> None:
    """Remove a file from the cache of huggingface_hub, where names are links to the content."""
    held = path.resolve()
    path.unlink(missing_ok=True)
    held.unlink(missing_ok=True)


def _discard_partial(path: Path) -> None:
    """Remove what killed processes downloaded of a file: huggingface_hub begins again, under another name."""
    held = path.resolve()
    if held.parent.name != "blobs":
        return  # without links, huggingface_hub keeps files under their names
    lock = held.parents[2] / ".locks" / held.parents[1].name / f"{held.name}.lock"
    with contextlib.suppress(Timeout, OSError), FileLock(lock, timeout=0):  # as a process does while it downloads the file
        for partial_file in held.parent.glob(f"{held.name}.*.incomplete"):
            partial_file.unlink()


def _cached_snapshot(repository: str, revision: str | None) -> Snapshot | None:
    from huggingface_hub import constants, scan_cache_dir

    if not Path(constants.HF_HUB_CACHE).is_dir():
        return None
    for repo in scan_cache_dir(constants.HF_HUB_CACHE).repos:
        if repo.repo_id != repository or repo.repo_type != "model":
            continue
        for cached in repo.revisions:
            if revision == cached.commit_hash or (revision or "main") in cached.refs:
                files = [
                    RepositoryFile(file.file_path.relative_to(cached.snapshot_path).as_posix(), file.size_on_disk, None)
                    for file in cached.files
                ]
                return Snapshot(repository, cached.commit_hash, tuple(files), cached.snapshot_path)
    return None


def _leads_out(name: str) -> bool:
    return "\\" in name or PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts


def _listed(files: tuple[RepositoryFile, ...]) -> str:
    names = sorted(file.name for file in files)
    return (", ".join(names[:8]) + (", ..." if len(names) > 8 else "")) or "no files"
