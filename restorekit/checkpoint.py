"""Reading, checking, renaming and writing weights."""

import json
import os
import pickle
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from restorekit.model import RestorationModel

State = dict[str, Tensor]
Model = TypeVar("Model", bound=RestorationModel)

WRAPPERS = ("state_dict", "params_ema", "params", "model")  # in the order of preference
PREFIX = "module."


class CheckpointError(ValueError):
    """Weights that cannot be used; the message says what was found and what is needed."""


def load_weights(model: Model, source: str | os.PathLike[str] | Mapping[str, Any]) -> Model:
    """Load weights into a model, strictly, and return the model.

    The names may be those of this library or of the original authors. Every parameter must be there, in the right shape and
    finite, and nothing else may be. The model is only changed if all is well.

    Args:
        model: a model of this library.
        source: path of a ``.safetensors`` or ``.pth`` file, or what such a file holds: a state dict, bare or wrapped.

    Raises:
        CheckpointError: if the file cannot be read or does not fit the model.
    """
    if isinstance(source, Mapping):
        state, origin = unwrap(source, "state dict"), "state dict"
    else:
        state, origin = read_checkpoint(source), str(source)
    state = to_our_names(state, model.original_names)
    check_fits(model, state, origin)
    model.load_state_dict(state)
    return model


def read_checkpoint(path: str | os.PathLike[str]) -> State:
    """Read a state dict from a file; wrappers such as ``state_dict`` and ``module.`` are undone.

    Raises:
        CheckpointError: if the file is missing, truncated, not a checkpoint, or a pickle that wants more than tensors;
            such a pickle is refused, never executed.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"no checkpoint at {path}")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(_refusal(path, error)) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise CheckpointError(f"{path} is truncated or not a checkpoint: {_first_line(error)}") from error
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
        dtype: dtype to store; by default that of the parameters.
    """
    from safetensors.torch import save_file

    state = {name: tensor.detach().to("cpu", dtype).contiguous().clone() for name, tensor in model.state_dict().items()}
    with atomic_path(path) as temporary:
        save_file(state, temporary, metadata=dict(metadata or {}))


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside ``path``, which takes its place when the block ends without an error."""
    path = Path(path)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix)
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
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise CheckpointError(f"{origin} holds no state dict: {name!r} is a {type(value).__name__}, expected a tensor")
    return {name.removeprefix(PREFIX): tensor for name, tensor in content.items()}


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


def check_fits(model: nn.Module, state: Mapping[str, Tensor], origin: str) -> None:
    """Raise a :class:`CheckpointError` unless the state has exactly the model's names and shapes, and is finite."""
    wanted = model.state_dict(keep_vars=True)
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
        problems += _names("shared by the model, different in the file", _unshared(wanted, state))
    if problems:
        raise CheckpointError(f"{origin} does not fit {type(model).__name__}: " + "; ".join(problems))


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
