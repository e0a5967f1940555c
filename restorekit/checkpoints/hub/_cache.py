"""The cache: one folder for each set of weights, with the converted file and a record of where it came from."""

import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

from restorekit._files import sha256_of, write_json
from restorekit.checkpoints.hub._errors import explain_disk_errors


@dataclass(frozen=True)
class Record:
    """Where weights came from.

    Attributes:
        name: name of the weights: ``"arch.tag"`` or ``"hf-hub:owner/repo"``.
        origin: address that they were downloaded from.
        sha256: checksum of the downloaded file.
        content: checksum of names and tensors, which does not depend on the file format or location.
        stored: checksum of the converted file in the cache.
        size: size of the converted file in bytes.
        when: when they were downloaded, in UTC.
        config: how the model is built, for weights of a repository.
    """

    name: str
    origin: str
    sha256: str
    content: str
    stored: str
    size: int
    when: str
    config: Mapping[str, Any]


@dataclass(frozen=True)
class Cached:
    """Weights in the cache.

    Attributes:
        path: the safetensors file, with the names of this library.
        record: where it came from.
    """

    path: Path
    record: Record


class Entry:
    """The place in the cache for one set of weights.

    The record is written last: weights without a matching record do not count.

    Args:
        name: name of the weights.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.folder = home() / name.replace("hf-hub:", "hf-hub--").replace("/", "--")
        self.weights = self.folder / "weights.safetensors"
        self.incoming = self.folder / "incoming"  # files being downloaded and converted
        self._record = self.folder / "record.json"

    def record(self) -> Record | None:
        """Return the record of the first use, or None; it is kept when the weights are removed."""
        try:
            return Record(**json.loads(self._record.read_text()))
        except (OSError, ValueError, TypeError):  # an unreadable record counts as none
            return None

    def cached(self) -> Cached | None:
        """Return the weights if they are in the cache and undamaged."""
        record = self.record()
        if record is None or not self.weights.is_file() or sha256_of(self.weights) != record.stored:
            return None
        return Cached(self.weights, record)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock out other processes and threads, and remove what an interrupted one left behind.

        Raises:
            CacheError: if the cache cannot be written.
        """
        from filelock import FileLock

        with disk_errors_explained():
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / ".lock"):
                shutil.rmtree(self.incoming, ignore_errors=True)
                self.incoming.mkdir()
                try:
                    yield
                finally:
                    shutil.rmtree(self.incoming, ignore_errors=True)

    def put(self, converted: Path, **known: Any) -> Cached:
        """Move a converted file into place and write its record; the entry must be locked."""
        record = Record(name=self.name, stored=sha256_of(converted), size=converted.stat().st_size, **known)
        converted.replace(self.weights)
        write_json(self._record, dataclasses.asdict(record))
        return Cached(self.weights, record)

    def clear(self, *, forget: bool = False) -> int:
        """Remove the weights, and with ``forget`` the record too; return how many bytes were freed."""
        with self.locked():
            freed = self.weights.stat().st_size if self.weights.exists() else 0
            self.weights.unlink(missing_ok=True)
            if forget:
                self._record.unlink(missing_ok=True)
        return freed


def home() -> Path:
    """Return the folder of the cache: ``RESTOREKIT_HOME``, or ``restorekit`` below ``HF_HOME``."""
    chosen = os.environ.get("RESTOREKIT_HOME")
    if chosen:
        return Path(chosen).expanduser()
    from huggingface_hub import constants

    return Path(constants.HF_HOME) / "restorekit"


def disk_errors_explained() -> AbstractContextManager[None]:
    """Return a context that explains errors when the cache is written."""
    return explain_disk_errors(home(), "RESTOREKIT_HOME")


def entries() -> list[Entry]:
    """Return the entries that have a record, by name."""
    folders = home().iterdir() if home().is_dir() else []
    records = []
    for folder in folders:
        try:
            records.append(json.loads((folder / "record.json").read_text())["name"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return [Entry(name) for name in sorted(records)]


def content_of(state: "Mapping[str, Tensor]") -> str:
    """Return a checksum of names, dtypes, shapes and values."""
    import torch

    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
