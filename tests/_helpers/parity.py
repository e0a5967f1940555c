"""What tests of parity share: tolerances, and state dicts in the names of the original authors."""

import torch

from restorekit.checkpoints import original_names, to_original_names

# Outputs are of order one. In float64 the rounding of the stored targets is all that is left: half a unit in the last place of
# float32, 1.2e-7 for values up to four. In float32 some hundred layers add up their products in another order than the original
# does, which moves the result by a few 1e-6.
TOLERANCE = {torch.float64: 2e-7, torch.float32: 1e-5}


def modules_of(names):
    return {name.rpartition(".")[0] for name in names}


def original_state(model):
    """Return the state dict of a model as the authors' code would name it."""
    state = to_original_names(model.state_dict(), original_names(model))
    return {name: tensor.clone() for name, tensor in state.items()}


def assert_same_state(model, other):
    state, wanted = model.state_dict(), other.state_dict()
    assert list(state) == list(wanted)
    for name, tensor in wanted.items():
        assert torch.equal(state[name], tensor), name
