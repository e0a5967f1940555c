"""Forward hooks fire on every part: what people extract features and measure with."""

import pytest
import torch
from torch import nn

from _helpers.descriptors import CONNECTORS, MODELS, PARTS, SMALL_MPRNET
from restorekit.blocks import ChannelAttention, GlobalMean
from restorekit.models import create_model
from restorekit.stages import Connection, MultiStage, Stage, UNetStage


def silent(module, run):
    """Return the names of the modules whose hooks do not fire in a run: the module itself, and those of this library in it."""
    own = {name: part for name, part in module.named_modules() if not name or type(part).__module__.startswith("restorekit")}
    seen = set()
    handles = [part.register_forward_hook(lambda *_, name=name: seen.add(name)) for name, part in own.items()]
    with torch.no_grad():
        run()
    for handle in handles:
        handle.remove()
    return sorted(own.keys() - seen)


@pytest.mark.parametrize("name", PARTS)
def test_hooks_fire_on_every_part_and_on_what_it_is_made_of(name):
    descriptor = PARTS[name]
    part = descriptor.make()
    inputs = descriptor.feed(2, 3)
    if isinstance(part, Stage):
        count = len(part.spec.inputs)
        assert silent(part, lambda: part(inputs[:count], inputs[count:])) == []
    else:
        assert silent(part, lambda: descriptor.run(part, inputs)) == []


@pytest.mark.parametrize("name", [name for name, model in MODELS.items() if model.variant_of is None])
def test_hooks_fire_on_every_module_of_a_model(name):
    model = MODELS[name].make(name)
    side = 2 * model.size_multiple
    found = silent(model, lambda: model(torch.zeros(1, model.image_channels, side, side)))
    assert set(found) <= set(model.optional)  # heads of coarser scales, which the result does not need


def test_a_connector_that_makes_nothing_is_called_too():
    part = CONNECTORS["fuse"]["none"]
    module = part.make()
    assert silent(module, lambda: part.run(module, ())) == []


def test_a_hook_on_a_stage_sees_features_of_both_halves_on_the_grid_that_it_decodes_on():
    model = create_model("mprnet", **SMALL_MPRNET)
    seen = []
    model.stages[0].register_forward_hook(lambda stage, inputs, output: seen.append(output))
    model(torch.zeros(1, 3, 16, 24))
    ((encoded, decoded),) = seen
    for features, levels in ((encoded, model.stages[0].spec.encoder), (decoded, model.stages[0].spec.decoder)):
        assert [tuple(x.shape) for x in features] == [(2, w, 8 // s, 24 // s) for w, s in levels]


def test_what_a_hook_returns_takes_the_place_of_the_features():
    model = create_model("mprnet", **SMALL_MPRNET).eval()
    image = torch.rand(1, 3, 16, 24)
    with torch.no_grad():
        before = model(image)
        model.stages[2].register_forward_hook(lambda stage, inputs, output: (output[0], tuple(map(torch.zeros_like, output[1]))))
        after = model(image)
    assert not torch.equal(before, image)
    assert torch.equal(after, image)  # the head adds what it reads from the features, here nothing, to the image


def test_a_hook_on_attention_sees_means_and_factors():
    attention = ChannelAttention(8)
    seen = {}
    for name, module in attention.named_modules():
        module.register_forward_hook(lambda module, inputs, output, name=name: seen.update({name: output.shape}))
    attention(torch.rand(1, 8, 5, 7))
    assert seen["mean"] == (1, 8, 1, 1)
    assert isinstance(attention.mean, GlobalMean)
    assert seen[""] == (1, 8, 5, 7)


def test_transitions_tell_what_the_network_holds():
    model = MultiStage([UNetStage((4, 6)), UNetStage((4, 6), guided=True)], grids=[(2, 1), (1, 1)])
    assert [[connection.role for connection in gap.connections] for gap in model.transitions] == [
        ["stem"],
        ["supervise", "stem", "join", "fuse"],
        ["head"],
    ]
    assert [tuple(gap.grid) for gap in model.transitions] == [(2, 1), (1, 1), (1, 1)]
    held = {id(module) for gap in model.transitions for connection in gap.connections for module in connection.modules}
    lists = [*model.stems, *model.supervisors, *model.joins, [*model.fusions], model.heads]
    assert held == {id(module) for modules in lists for module in modules}
    model.heads[0] = nn.Identity()
    (head,) = model.transitions[-1].connections
    assert isinstance(head, Connection)
    assert head.modules == (model.heads[0],)
