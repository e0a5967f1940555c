"""What tests of parity share: tolerances, and state dicts in the names of the original authors."""

import json
import re

import numpy as np
import torch

from _helpers import DATA
from _helpers.parity_fill import fill, picture
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


def original_shapes(name):
    """Return the names and shapes of a network's original state dict, in order."""
    return {key: tuple(shape) for key, shape in json.loads((DATA / f"{name}_keys.json").read_text())}


def made_up_state(name, factors):
    """Return the original state dict with the weights that targets were made of.

    ``factors`` has factors by regular expression, for parameters in whose names it is found, so that every part counts.
    """
    state = {}
    for key, shape in original_shapes(name).items():
        factor = next((factor for pattern, factor in factors.items() if re.search(pattern, key)), 1.0)
        state[key] = torch.from_numpy(fill(key, shape) * np.float64(factor)).float()
    return state


def targets(name):
    """Return a picture, and what the original code makes of it, by name."""
    stored = np.load(DATA / f"{name}_expected.npz")
    image = torch.from_numpy(picture(tuple(stored["shape"].tolist()), int(stored["seed"])))
    return image, {key: torch.from_numpy(stored[key]).double() for key in stored if key not in ("shape", "seed")}
