"""A network after a pass gives what the plain one gives, under the same names, and the plain one stays as it is."""

import copy
import pickle

import pytest
import torch
from torch import nn

from _helpers.descriptors import MODELS, PARTS
from restorekit.inference import local_pooling, prepare
from restorekit.inference.passes import CHANNELS_LAST, GRADIENTS, REUSE, WINOGRAD, for_inference, for_training, precision
from restorekit.models import create_model

TOLERANCE = {"rtol": 1e-5, "atol": 1e-5}  # other orders of some hundred sums, and products that are rounded together with a sum
EXACT = {"rtol": 0, "atol": 0}
BUILDERS = [name for name, model in MODELS.items() if model.variant_of is None]
PASSES = {"reuse": REUSE, "gradients": GRADIENTS, "channels last": CHANNELS_LAST, "winograd": WINOGRAD}
every_builder = pytest.mark.parametrize("name", BUILDERS)


def network(name, seed=0):
    torch.manual_seed(seed)
    model = MODELS[name].make(name)
    return model, torch.rand(2, model.image_channels, 2 * model.size_multiple, 3 * model.size_multiple)


def gradients(model, image):
    image = image.clone().requires_grad_()
    outputs = model.forward_stages(image)
    loss = sum(output.square().mean() for output in outputs)
    return [output.detach() for output in outputs], torch.autograd.grad(loss, [image, *model.parameters()])


@every_builder
@pytest.mark.parametrize("each", PASSES)
def test_images_and_gradients_are_those_of_the_plain_network(name, each):
    model, image = network(name)
    changed = copy.deepcopy(model)
    PASSES[each].run(changed)
    assert not PASSES[each].gains(changed)
    assert [*changed.state_dict()] == [*model.state_dict()]
    for found, wanted in zip(gradients(changed, image), gradients(model, image), strict=True):
        for x, y in zip(found, wanted, strict=True):
            torch.testing.assert_close(x, y, **TOLERANCE)
    with torch.no_grad():
        kept = image.clone()
        for x, y in zip(changed.forward_stages(image), model.forward_stages(image), strict=True):
            torch.testing.assert_close(x, y, **TOLERANCE)
        assert torch.equal(image, kept)


@every_builder
def test_all_passes_of_the_training_together(name):
    model, image = network(name)
    changed = copy.deepcopy(model)
    for each in for_training():
        each.run(changed)
    for found, wanted in zip(gradients(changed, image), gradients(model, image), strict=True):
        for x, y in zip(found, wanted, strict=True):
            torch.testing.assert_close(x, y, **TOLERANCE)
    assert for_training(compile=True) == []


@every_builder
def test_half_precision_is_near_the_plain_network(name):
    model, image = network(name)
    changed = prepare(model, precision="bfloat16")
    assert {parameter.dtype for parameter in changed.parameters()} == {torch.bfloat16}
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        found = changed(image)
    wanted = model.eval()(image).detach()
    torch.testing.assert_close(found.float(), wanted, rtol=0, atol=0.05 * max(1.0, wanted.abs().max().item()))
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


@pytest.mark.parametrize("name", [name for name in PARTS if REUSE.gains(PARTS[name].make())])
def test_parts_that_overwrite_features_leave_their_inputs_alone(name):
    descriptor = PARTS[name]
    part = descriptor.make().eval()
    changed = copy.deepcopy(part)
    REUSE.run(changed)
    inputs = descriptor.feed(2, 3)
    kept = [x.clone() for x in inputs]
    with torch.no_grad():
        found, wanted = descriptor.run(changed, inputs), descriptor.run(part, inputs)
    for x, y in zip(found, wanted, strict=True):
        torch.testing.assert_close(x, y, **TOLERANCE)
    assert all(torch.equal(x, y) for x, y in zip(inputs, kept, strict=True))


def test_the_plain_network_stays_as_it_is():
    model, image = network("mprnet")
    before = {name: {*vars(module)} for name, module in model.named_modules()}
    with torch.no_grad():
        wanted = model(image)
        prepare(model, precision="float32")
        torch.testing.assert_close(model(image), wanted, **EXACT)
    assert {name: {*vars(module)} for name, module in model.named_modules()} == before


def test_copies_and_pickles_of_a_prepared_network_are_prepared_with_weights_of_their_own():
    model, image = network("mprnet")
    prepared = prepare(local_pooling(model, model.size_multiple), precision="float32")
    with torch.no_grad():
        wanted = prepared(image)
        for other in (copy.deepcopy(prepared), pickle.loads(pickle.dumps(prepared))):
            assert not any(each.gains(other) for each in for_inference(torch.float32))
            torch.testing.assert_close(other(image), wanted, **EXACT)
            for parameter in other.parameters():
                parameter.zero_()
            torch.testing.assert_close(other(image), image, **EXACT)
        torch.testing.assert_close(prepared(image), wanted, **EXACT)


def test_hooks_that_were_registered_before_still_fire():
    model, image = network("mprnet")
    seen = []
    model.stages[0].encoders[0][0].attention.register_forward_hook(lambda *_: seen.append(1))
    with torch.no_grad():
        torch.testing.assert_close(prepare(model, precision="float32")(image), model.eval()(image), **TOLERANCE)
    assert len(seen) == 2


def test_parts_of_a_subclass_are_left_alone():
    from restorekit.blocks import OriginalResolutionBlock

    class Doubled(OriginalResolutionBlock):
        def forward(self, x):
            return 2 * super().forward(x)

    block = nn.Sequential(Doubled(4, "identity", num_blocks=1))
    assert not REUSE.gains(block)


def test_compiled_networks_are_plain():
    passes = for_inference(torch.float32, compile=True)
    model = create_model("mprnet_tiny")
    for each in passes:
        each.run(model)
    assert REUSE.gains(model)
    assert not CHANNELS_LAST.gains(model)


def test_a_pass_changes_what_it_says():
    model = nn.Sequential(nn.Conv2d(4, 4, 3), nn.Sequential(nn.Conv2d(4, 4, 3), nn.PReLU()))
    CHANNELS_LAST.run(model)
    assert all(conv.weight.is_contiguous(memory_format=torch.channels_last) for conv in (model[0], model[1][0]))
    half = precision(torch.bfloat16)
    assert half.gains(model)
    half.run(model)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    assert not half.gains(model)
