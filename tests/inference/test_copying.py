"""Fast copies of networks compute the same, share nothing that can change, and keep what is shared within."""

import copy

import pytest
import torch
from torch import nn

from _helpers.descriptors import MODELS
from restorekit.inference._copying import copy_network


@pytest.mark.parametrize("name", [name for name, each in MODELS.items() if each.variant_of is None])
def test_copies_compute_the_same_and_are_independent(name):
    model = MODELS[name].make(name).eval()
    copied = copy_network(model)
    assert {key: type(each) for key, each in copied.named_modules()} == {key: type(each) for key, each in model.named_modules()}
    assert not {id(each) for each in model.modules()} & {id(each) for each in copied.modules()}
    assert not any(parameter.requires_grad for parameter in copied.parameters())
    image = torch.rand(1, model.image_channels, 2 * model.size_multiple, 2 * model.size_multiple)
    expected = model(image)
    assert copied(image).equal(expected)
    with torch.no_grad():
        [parameter.zero_() for parameter in copied.parameters()]
    assert model(image).equal(expected)


def test_shared_modules_and_weights_stay_shared():
    shared, tied = nn.Linear(2, 2), nn.Linear(2, 2)
    tied.weight = shared.weight
    model = nn.Sequential(shared, shared, tied)
    copied = copy_network(model)
    assert copied[0] is copied[1] is not shared
    assert copied[2].weight is copied[0].weight is not shared.weight


class Counted(nn.Linear):
    """A module with its own way of being copied."""

    def __deepcopy__(self, memo):
        copied = Counted(self.in_features, self.out_features)
        copied.load_state_dict(self.state_dict())
        copied.copies = getattr(self, "copies", 0) + 1
        return copied


def test_modules_with_their_own_way_are_copied_that_way():
    model = nn.Sequential(nn.ReLU(), Counted(2, 3), nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)))
    copied, usual = copy_network(model), copy.deepcopy(model)
    assert copied[1].copies == usual[1].copies == 1
    x = torch.rand(1, 2)
    assert copied(x).equal(model(x))
