"""Reading, checking, renaming and writing weights."""

import hashlib
import json
import os
import pickle
import re
import tempfile
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from restorekit import flax
from restorekit.model import RestorationModel

State = dict[str, Tensor]
Model = TypeVar("Model", bound=RestorationModel)

WRAPPERS = ("state_dict", "params_ema", "params", "model")  # in the order of preference
PREFIX = "module."
PART = ".restorekit-part"  # in the name of a file that is being written; no other program's temporary files are named so
LEFTOVER = re.compile(rf"\.(?P<stem>.+)\.[a-z0-9_]{{8}}{re.escape(PART)}(?P<suffix>\.[^.]*)?(\.rows)?", re.DOTALL)
LONGEST_STEM = 200  # bytes, of which file systems allow 255 for the whole name


class CheckpointError(ValueError):
    """Weights that cannot be used; the message says what was found and what is needed."""


def load_weights(model: Model, source: str | os.PathLike[str] | Mapping[str, Any]) -> Model:
    """Load weights into a model, strictly, and return the model.

    The names may be those of this library or of the original authors. Every parameter must be there, in the right shape and
    finite, and nothing else may be. The model is only changed if all is well. Only what the model declares ``optional`` may be
    missing: a warning then says what cannot be asked of the model.

    Args:
        model: a model of this library.
        source: path of a ``.safetensors``, ``.pth`` or ``.npz`` file or of a TensorFlow.js model (a folder, or an npm package), or
            what such a file holds: a state dict, bare or wrapped. Weights of flax have the names and dimensions of flax.

    Raises:
        CheckpointError: if the file cannot be read or does not fit the model.
    """
    if isinstance(source, Mapping):
        state, origin = unwrap(source, "state dict"), "state dict"
    else:
        state, origin = read_checkpoint(source), str(source)
    return load_state(model, state, origin)


def load_state(model: Model, state: Mapping[str, Tensor], origin: str) -> Model:
    """Do what :func:`load_weights` does, with weights that were read from a file.

    Args:
        model: a model of this library.
        state: the weights.
        origin: where they are from, for messages.

    Raises:
        CheckpointError: if they do not fit the model.
    """
    state = to_our_names(flax.to_torch(state, model), model.original_names)
    absent = {
        module: purpose for module, purpose in model.optional.items() if not any(name.startswith(f"{module}.") for name in state)
    }
    check_fits(model, state, origin, absent)
    for module, purpose in absent.items():
        model.set_submodule(module, Absent(purpose))
    if absent:
        warnings.warn(
            f"{origin} lacks {', '.join(absent)}: the model gives its result, and not {', '.join(absent.values())}", stacklevel=3
        )
    model.load_state_dict(state)
    return model


class Absent(nn.Module):
    """Stands for a module whose weights were not in the file.

    Args:
        purpose: what the module would give.
    """

    def __init__(self, purpose: str) -> None:
        super().__init__()
        self.message = f"the weights that were loaded do not hold those for {purpose}; pass coarse=False to do without it"

    def forward(self, *inputs: Tensor) -> Tensor:
        """Raise a :class:`CheckpointError`: there is nothing to compute with."""
        raise CheckpointError(self.message)


def read_checkpoint(path: str | os.PathLike[str]) -> State:
    """Read a state dict from a file; wrappers such as ``state_dict`` and ``module.`` are undone.

    Args:
        path: a file of safetensors, of ``torch.save`` or of numpy (``.npz``), or a TensorFlow.js model: its folder, or an npm
            package (``.tgz``).

    Raises:
        CheckpointError: if the file is missing, truncated, not a checkpoint, or a pickle that wants more than tensors;
            such a pickle is refused, never executed.
    """
    path = Path(path)
    if path.is_dir() or (path.suffix in (".npz", ".tgz") and path.is_file()):
        try:
            arrays = flax.read_graph_model(path) if path.is_dir() or path.suffix == ".tgz" else flax.read_npz(path)
        except ValueError as error:
            raise CheckpointError(f"{path} cannot be read: {error}") from error
        return unwrap(arrays, str(path))
    if not path.is_file():
        raise CheckpointError(f"no checkpoint at {path}")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of other pickle protocols; if they cannot be read, that is the error
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(_refusal(path, error)) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise CheckpointError(f"{path} is truncated or not a checkpoint; fetch it again") from error
    return unwrap(content, str(path))


def read_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """Return the metadata of a safetensors file.

    Raises:
        CheckpointError: if the file is missing or not a safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is truncated or not a safetensors file: {_first_line(error)}") from error


def save_weights(
    model: nn.Module,
    path: str | os.PathLike[str],
    metadata: Mapping[str, str] | None = None,
    *,
    dtype: torch.dtype | None = None,
) -> None:
    """Write the weights of a model to a safetensors file, atomically.

    A parameter that several modules share is written once for each name, so that every reader loads the file strictly.

    Args:
        model: the model.
        path: where to; an existing file is replaced.
        metadata: strings to keep beside the weights.
        dtype: dtype to store floating-point tensors in; by default their own.

    Raises:
        OSError: if the file cannot be written; nothing is left of it.
    """
    with atomic_path(path) as temporary:
        _save_safetensors(_stored(model, dtype), temporary, metadata)


def save_original_weights(model: RestorationModel, path: str | os.PathLike[str], *, dtype: torch.dtype | None = None) -> None:
    """Write the weights of a model under the names of the original authors, for their code and other programs.

    Args:
        model: the model.
        path: where to, atomically: a ``.safetensors`` file, or else a file of ``torch.save`` with the key ``state_dict``.
        dtype: dtype to store; by default that of the parameters.

    Raises:
        ValueError: if the network was never published, so that there are no such names.
        OSError: if the file cannot be written; nothing is left of it.
    """
    state = to_original_names(_stored(model, dtype), model.original_names)
    with atomic_path(path) as temporary:
        if temporary.suffix == ".safetensors":
            _save_safetensors(state, temporary)
        else:
            _save_torch({"state_dict": state}, temporary)


def _stored(model: nn.Module, dtype: torch.dtype | None) -> State:
    return {
        name: tensor.detach().to("cpu", dtype if tensor.is_floating_point() else None).contiguous().clone()
        for name, tensor in model.state_dict().items()
    }


def _save_safetensors(state: State, path: Path, metadata: Mapping[str, str] | None = None) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    try:
        save_file(state, path, metadata=dict(metadata or {}))
    except SafetensorError as error:  # it reports a full disk in words only
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error


def _save_torch(content: Any, path: Path) -> None:
    try:
        with path.open("wb") as file:
            torch.save(content, file)
    except RuntimeError as error:  # torch has errors of its own for a full disk
        raise OSError(f"{path} could not be written: {_first_line(error)}") from error


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside ``path``, which takes its place when the block ends without an error.

    Raises:
        OSError: if there is no folder to write to, or ``path`` is one.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; give the name of a file")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent} to write {path.name} to; make it first")
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{_short_stem(path)}.", suffix=PART + path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp makes private files; an ordinary new file is not
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(paths: Iterable[Path]) -> None:
    """Remove what processes that were killed while writing these files have left beside them.

    Only names that :func:`atomic_path` gives are removed; hidden files of the user and of other programs stay.
    """
    wanted = {path.parent / f"{_short_stem(path)}{path.suffix}" for path in paths}
    for folder in {path.parent for path in wanted}:
        for file in folder.glob(f".*{PART}*") if folder.is_dir() else ():
            found = LEFTOVER.fullmatch(file.name)
            if found and folder / f"{found['stem']}{found['suffix'] or ''}" in wanted and file.is_file():
                file.unlink(missing_ok=True)


def _short_stem(path: Path) -> str:
    """Return the stem of a name; of one so long that a temporary name would not fit, its start and a checksum."""
    stem = os.fsencode(path.stem)
    if len(stem) <= LONGEST_STEM:
        return path.stem
    checksum = hashlib.sha256(stem).hexdigest()[:16]
    return f"{stem[: LONGEST_STEM - 20].decode(errors='ignore')}.{checksum}"


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, if they do not exist.

    Raises:
        OSError: if that is not possible.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise NotADirectoryError(f"cannot make the folder {folder}: a file is in its place; choose another") from error


def unwrap(content: Any, origin: str) -> State:
    """Return the state dict inside what a file held.

    Raises:
        CheckpointError: if there is none.
    """
    for wrapper in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
            break
    if not isinstance(content, Mapping) or not content:
        raise CheckpointError(f"{origin} holds no state dict: got {type(content).__name__}; expected names and tensors")
    for name, value in content.items():
        numbers = isinstance(value, Tensor) or (isinstance(value, np.ndarray) and value.dtype.kind in "fiu")
        if not isinstance(name, str) or not numbers:
            raise CheckpointError(f"{origin} holds no state dict: {name!r} is a {type(value).__name__}, expected a tensor")
    names = flax.without_optimiser(content)
    return {short.removeprefix(PREFIX): _tensor(content[name]) for name, short in names.items()}


def _tensor(value: Any) -> Tensor:
    return torch.from_numpy(np.array(value, order="C")) if isinstance(value, np.ndarray) else value


def to_our_names(state: Mapping[str, Tensor], original_names: Mapping[str, str]) -> State:
    """Return the state with the authors' module names replaced by ours; a state in our names is returned as it is.

    A name that the table lacks is kept, and a strict check then reports it.
    """
    modules = {name.rpartition(".")[0] for name in state}
    if not any(module in original_names for module in modules):
        return dict(state)
    renamed = {}
    for name, tensor in state.items():
        module, _, parameter = name.rpartition(".")
        ours = original_names.get(module)
        renamed[name if ours is None else f"{ours}.{parameter}"] = tensor
    return renamed


def to_original_names(state: Mapping[str, Tensor], original_names: Mapping[str, str]) -> State:
    """Return the state with our module names replaced by the authors', as their code and other programs read it.

    Raises:
        ValueError: if the table has no name for a module, as for a model that was never published.
    """
    theirs = {ours: original for original, ours in original_names.items()}
    renamed = {}
    for name, tensor in state.items():
        module, _, parameter = name.rpartition(".")
        if module not in theirs:
            raise ValueError(f"there is no original name for {name}; only models of published networks have such names")
        renamed[f"{theirs[module]}.{parameter}"] = tensor
    return renamed


def check_fits(model: RestorationModel, state: Mapping[str, Tensor], origin: str, absent: Collection[str] = ()) -> None:
    """Raise a :class:`CheckpointError` unless the state has exactly the model's names and shapes, and is finite.

    Args:
        model: the model.
        state: the weights.
        origin: where they are from, for the message.
        absent: modules whose weights may be missing.
    """
    wanted = {
        name: tensor
        for name, tensor in model.state_dict(keep_vars=True).items()
        if not any(name.startswith(f"{module}.") for module in absent)
    }
    problems = [
        *_names("missing", [name for name in wanted if name not in state]),
        *_names("unexpected", [name for name in state if name not in wanted]),
    ]
    both = [name for name in wanted if name in state]
    misshapen = [name for name in both if state[name].shape != wanted[name].shape]
    problems += _names(
        "of another shape",
        misshapen,
        lambda name: f"{name} is {tuple(state[name].shape)}, needs {tuple(wanted[name].shape)}",
    )
    if not problems:
        problems += _names("NaN or infinite", [name for name in both if not state[name].isfinite().all()])
    if not problems:
        problems += _names("shared by the model, different in the file", _unshared(wanted, state))
    if problems:
        name = (model.recipe or {}).get("architecture", type(model).__name__)
        raise CheckpointError(f"{origin} does not fit {name}: " + "; ".join(problems))


def _unshared(wanted: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> list[str]:
    """Return names whose tensor the model shares with an earlier name, and whose value differs from that one's."""
    first: dict[int, str] = {}
    return [name for name, tensor in wanted.items() if not torch.equal(state[name], state[first.setdefault(id(tensor), name)])]


def _names(problem: str, names: list[str], describe: Callable[[str], str] = str) -> list[str]:
    if not names:
        return []
    shown = ", ".join(describe(name) for name in names[:3])
    return [f"{len(names)} {problem} ({shown}{', ...' if len(names) > 3 else ''})"]


def _read_safetensors(path: Path) -> State:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return unwrap(load_file(path), str(path))
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is truncated or not a safetensors file: {_first_line(error)}") from error


def _refusal(path: Path, error: pickle.UnpicklingError) -> str:
    text = str(error)
    if "GLOBAL" not in text and "global" not in text:
        return f"{path} is truncated or not a checkpoint"  # torch's own words advise to load it with weights_only=False
    try:
        wanted = ", ".join(torch.serialization.get_unsafe_globals_in_checkpoint(path)) or "unknown"
    except Exception:  # older formats cannot be listed; the error says what came first
        named = re.search(r"GLOBAL ([\w.]+)", text)
        wanted = named.group(1).rstrip(".") if named else "unknown"
    return f"{path} is a pickle that wants to run code (it names: {wanted}); refused. Ask its author for a safetensors file"


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def write_json(path: Path, content: Any) -> None:
    """Write JSON to a file, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n")
