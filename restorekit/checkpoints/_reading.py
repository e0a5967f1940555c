"""Reading state dicts from a file in any registered format."""

import os
import re
import reprlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from restorekit.checkpoints._flax import without_optimiser
from restorekit.checkpoints._names import State
from restorekit.checkpoints.formats import format_of
from restorekit.errors import CheckpointError
from restorekit.network import DESCRIPTION

DEEPEST = 4  # keys on the way to a state dict, as in content["state"]["model"]
AVERAGED = re.compile(r"(^|[._-])(ema|averaged?|avg|swa|shadow)([._-]|$)")  # keys of averaged weights, better than the last ones


@dataclass(frozen=True)
class StateDict:
    """A state dict in a file.

    Attributes:
        origin: the file, and where in it the state dict is, for messages.
        state: names, as in the file, and tensors.
        keys: where in the file it is.
        descriptions: how networks in it are built, as JSON, by the prefix of their names.
    """

    origin: str
    state: State
    keys: str = ""
    descriptions: Mapping[str, str] = field(default_factory=dict)

    def under(self, prefix: str) -> "StateDict":
        """Return the tensors whose names begin with a prefix, without it."""
        if not prefix:
            return self
        state = {name.removeprefix(prefix): tensor for name, tensor in self.state.items() if name.startswith(prefix)}
        return StateDict(f"{self.origin} (names after {prefix!r})", state, self.keys)


def read_checkpoint(path: str | os.PathLike[str]) -> State:
    """Read the state dict of a file, with the names that it has there.

    If it is inside other data, as in ``{"state_dict": ..., "epoch": 3}``, it is found. Among several, the one with the most tensors
    is returned, or if they have equally many, the one whose key says that it is an average, such as ``"params_ema"``.

    Args:
        path: a file or folder in a format of :mod:`restorekit.checkpoints.formats`: safetensors, ``torch.save``, numpy
            (``.npz``), or a TensorFlow.js model (its folder, or an npm package). The content shows the format, or else the suffix.

    Raises:
        CheckpointError: if the file is missing, truncated, damaged, not a checkpoint, or a pickle that contains more than tensors;
            such a pickle is refused, never executed.
    """
    return read_states(path)[0].state


def read_states(path: str | os.PathLike[str]) -> list[StateDict]:
    """Return all state dicts of a file, those with the most tensors first, as :func:`read_checkpoint` does."""
    kind = format_of(path)
    try:
        content = kind.read(Path(path))
    except CheckpointError:
        raise
    except ValueError as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    return states_in(content, str(path))


def unwrap(content: Any, origin: str) -> State:
    """Return the state dict inside the content of a file, as :func:`read_checkpoint` does.

    Raises:
        CheckpointError: if there is no state dict.
    """
    return states_in(content, origin)[0].state


def states_in(content: Any, origin: str) -> list[StateDict]:
    """Return all state dicts inside the content of a file, those with the most tensors first.

    Raises:
        CheckpointError: if there is none.
    """
    mappings = dict(_mappings(content, (), set()))
    sound = {keys: mapping for keys, mapping in mappings.items() if not _foreign(mapping)}
    if not sound:
        for mapping in (*mappings.values(), content):
            if foreign := _foreign(mapping):
                raise CheckpointError(f"{origin} contains no state dict: {foreign}, expected a tensor")
        raise CheckpointError(f"{origin} contains no state dict: got {type(content).__name__}, expected names and tensors")
    found = [_state_dict(mapping, ".".join(keys), origin) for keys, mapping in sound.items()]
    return sorted(found, key=lambda each: (-len(each.state), AVERAGED.search(each.keys.lower()) is None))


def descriptions_in(content: Any) -> dict[str, str]:
    """Return how the networks in a state dict are built, as JSON, by the prefix of their names; empty if it does not say."""
    metadata = getattr(content, "_metadata", None)  # of a state dict of PyTorch
    entries = metadata.items() if isinstance(metadata, Mapping) else ()
    found = {str(place): about.get(DESCRIPTION) for place, about in entries if isinstance(about, Mapping)}
    return {f"{place}." if place else "": text for place, text in found.items() if isinstance(text, str)}


def _mappings(content: Any, keys: tuple[str, ...], seen: set[int]) -> Iterator[tuple[tuple[str, ...], Mapping[Any, Any]]]:
    """Yield the mappings that contain tensors, by the keys on the way to them; each once."""
    if not isinstance(content, Mapping) or id(content) in seen or len(keys) > DEEPEST:
        return
    seen.add(id(content))
    if any(isinstance(value, Tensor | np.ndarray) for value in content.values()):
        yield keys, content
    for key, value in content.items():
        if isinstance(key, str):
            yield from _mappings(value, (*keys, key), seen)


def _foreign(mapping: Any) -> str:
    """Return which entry of a mapping cannot be in a state dict, and what it is; empty if there is none."""
    for name, value in mapping.items() if isinstance(mapping, Mapping) else ():
        if not isinstance(value, Mapping) and not (isinstance(name, str) and _is_dense(value)):
            kind = f"{type(value).__name__}{f' of {value.dtype}' if isinstance(value, Tensor | np.ndarray) else ''}"
            return f"{reprlib.repr(name)} is a {kind}"
    return ""


def _is_dense(value: Any) -> bool:
    """Return whether a value is a tensor of numbers in memory, one for each element."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "fiub" and value.dtype != np.longdouble
    return isinstance(value, Tensor) and not (
        value.is_nested or value.is_quantized or value.is_meta or value.layout is not torch.strided
    )


def _state_dict(content: Mapping[str, Any], keys: str, origin: str) -> StateDict:
    names = without_optimiser(name for name, value in content.items() if not isinstance(value, Mapping))
    state = {short: _tensor(content[name]) for name, short in names.items()}
    return StateDict(f"{origin} ({keys})" if keys else origin, state, keys, descriptions_in(content))


def _tensor(value: Any) -> Tensor:
    if isinstance(value, np.ndarray):
        return torch.from_numpy(np.array(value, value.dtype.newbyteorder("="), order="C"))
    return value
