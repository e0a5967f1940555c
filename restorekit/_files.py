"""Files and folders: written whole or not at all, made, removed, checked."""

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None  # type: ignore[assignment]

PART = ".restorekit-part"  # in the name of a file that is being written; no other program uses it for its temporary files
LEFTOVER = re.compile(rf"\.(?P<stem>.+)\.[a-z0-9_]{{8}}{re.escape(PART)}(?P<suffix>\.[^.]*)?(\.rows)?", re.DOTALL)
LONGEST_STEM = 200  # bytes; file systems allow 255 for the whole name
_FOLDERS: set[int] = set()  # handles of the folders that this process has locked


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path next to ``path``, which replaces it when the block ends without an error.

    Raises:
        OSError: if there is no folder to write to, or ``path`` is a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; give the name of a file")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent} to write {path.name} to; create it first")
    with _locked_temporary(path) as temporary:
        try:
            yield temporary
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)  # mkstemp makes private files; ordinary new files are not private
            temporary.replace(path)
        except OSError as error:
            if error.filename == str(temporary):  # a name that says nothing to users
                error.filename = str(path)
            raise
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def _locked_temporary(path: Path) -> Iterator[Path]:
    """Yield an empty temporary file for a path; it is locked, so that another process does not take it for a leftover."""
    while True:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{_short_stem(path)}.", suffix=PART + path.suffix)
        if fcntl is None:  # on Windows, where an open file cannot be replaced
            os.close(handle)
            yield Path(name)
            return
        with os.fdopen(handle, "rb") as file:
            if _lock(file) and os.fstat(handle).st_nlink:  # else another process has removed it before it was locked
                yield Path(name)
                return


@contextmanager
def folder_locked(folder: Path) -> Iterator[bool]:
    """Lock a folder against others that lock it, which leaves no file; yield whether no other process has done so."""
    if fcntl is None:  # on Windows, where a folder cannot be opened
        yield True
        return
    handle = os.open(folder, os.O_RDONLY)
    _FOLDERS.add(handle)
    try:
        yield _lock(handle)
    finally:
        if handle in _FOLDERS:  # else this is a forked process, which does not own the lock
            _FOLDERS.remove(handle)
            os.close(handle)


def _leave_locks() -> None:
    """Close locked folders in a forked process, such as one that reads training data and may outlive a killed one."""
    while _FOLDERS:
        os.close(_FOLDERS.pop())


if fcntl is not None:
    os.register_at_fork(after_in_child=_leave_locks)


def _lock(file: IO[bytes] | int) -> bool:
    """Lock a file until it is closed; return whether no other process has locked it."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # some network file systems have no locks
        return True
    return True


def write_json(path: Path, content: Any) -> None:
    """Write JSON to a file, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n")


def remove_leftovers(paths: Iterable[Path]) -> None:
    """Remove temporary files that killed processes left next to these files.

    Only names made by :func:`atomic_path` are removed, and not those that a process is still writing; hidden files of the user and
    of other programs stay.
    """
    wanted = {path.parent / f"{_short_stem(path)}{path.suffix}" for path in paths}
    for folder in {path.parent for path in wanted}:
        for file in folder.glob(f".*{PART}*") if folder.is_dir() else ():
            found = LEFTOVER.fullmatch(file.name)
            if found and folder / f"{found['stem']}{found['suffix'] or ''}" in wanted:
                _remove_unless_locked(file)


def _remove_unless_locked(path: Path) -> None:
    owner = path.with_suffix("") if path.suffix == ".rows" and path.with_suffix("").exists() else path
    with suppress(OSError), owner.open("rb") as file:  # it may be a folder, private, or gone
        if _lock(file):
            path.unlink(missing_ok=True)


def is_temporary(path: Path) -> bool:
    """Return whether a file is one that is being written, or is in a folder of such files."""
    return any(PART in name for name in path.parts)


def _short_stem(path: Path) -> str:
    """Return the stem of a name, or its start and a checksum if a temporary name with the whole stem would be too long."""
    stem = os.fsencode(path.stem)
    if len(stem) <= LONGEST_STEM:
        return path.stem
    checksum = hashlib.sha256(stem).hexdigest()[:16]
    return f"{stem[: LONGEST_STEM - 20].decode(errors='ignore')}.{checksum}"


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, if they do not exist.

    Raises:
        OSError: if the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise NotADirectoryError(f"cannot make the folder {folder}: a file has this name; choose another") from error


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
