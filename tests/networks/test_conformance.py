"""Every registered part and model does what all of its kind must do; descriptors.py says how to make and feed it."""

import copy
import functools
import json
from functools import partial

import pytest
import torch
from torch._subclasses import FakeTensorMode
from torch.export import Dim, export

from _helpers.descriptors import BLOCKS, DESCRIBED, FAMILIES, MANIFEST, MODELS, PARTS, STAGES, Flat, parameter_names
from _helpers.marks import mostly_nightly
from restorekit.checkpoints import load_weights, save_weights
from restorekit.composition import compose
from restorekit.models import architectures, create_model
from restorekit.parts import connectors, registry_of
from restorekit.stages import Stage
from restorekit.testing import check_block, check_model, check_stage

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12, torch.bfloat16: 0.1}  # some hundred roundings of each dtype

every_part = pytest.mark.parametrize("name", PARTS)
every_connector = pytest.mark.parametrize("name", [name for name in PARTS if name.partition(":")[0] in connectors])
# A variant is its builder with other numbers, which is tested; so what networks do is tested with the builders.
every_builder = pytest.mark.parametrize("name", [name for name, model in MODELS.items() if model.variant_of is None])


def tracing(test):
    """Trace without the checks of annotations, which are in the way, and without coverage, which doubles the time."""
    return pytest.mark.usefixtures("unchecked_annotations")(pytest.mark.no_cover(test))


# Tracing takes long: every run traces the first part of each kind, an attention, and networks that contain further parts.
FIRST = {f"{kind}:{next(iter(described))}" for kind, described in DESCRIBED.items()}
every_traced_part = mostly_nightly("name", PARTS, FIRST | {"block:mdta"})
# Stages on patches, as those of MPRNet.
PATCHES = {
    "stages": [
        {"name": "unet", "widths": [4, 6], "num_blocks": 1},
        {"name": "orsnet", "width": 4, "num_orbs": 2, "num_blocks": 1, "guided": True},
    ],
    "grids": [[2, 1], [1, 1]],
}
TRACED = {name: partial(model.make, name) for name, model in MODELS.items() if model.variant_of is None}
TRACED |= {"patches": partial(compose, PATCHES)}
every_traced_model = mostly_nightly("name", TRACED, {"hinet", "nafnet", "patches"})


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def _image(model, height, width, *, n=2, **like):
    """Return images in [0, 1]; ``height`` and ``width`` count multiples of the model's ``size_multiple``."""
    shape = (n, model.image_channels, height * model.size_multiple, width * model.size_multiple)
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)).to(**like)


# ---- descriptors


def test_every_registered_part_has_a_descriptor():
    wanted = {kind: list(registry_of(kind)) for kind in ("block", "stage", *connectors)}
    found = {kind: sorted(described) for kind, described in DESCRIBED.items()}
    assert found == wanted, "tests/_helpers/descriptors.py must describe every registered part, and nothing else"


def test_every_registered_model_has_a_descriptor():
    assert sorted(MODELS) == list(architectures), "FAMILIES in tests/_helpers/descriptors.py must have the family of every model"
    assert set(FAMILIES) <= set(architectures)


@mostly_nightly("name", MODELS, FAMILIES)
def test_the_number_of_parameters_is_as_stated(name):
    """``restorekit models`` shows it without building the model."""
    with torch.device("meta"):
        found = sum(parameter.numel() for parameter in create_model(name).parameters())
    assert architectures.get(name).parameters in (None, found)


def test_descriptors_make_what_is_registered():
    for kind, described in DESCRIBED.items():
        for name, descriptor in described.items():
            made, registered = descriptor.make(), registry_of(kind).get(name)
            assert not isinstance(registered, type) or isinstance(made, registered), f"{kind} {name}"


# ---- the public checks


@pytest.mark.parametrize("name", BLOCKS)
def test_block_passes_check_block(name, device):
    check_block(BLOCKS[name].make().to(device), width=BLOCKS[name].takes[0].width)


@pytest.mark.parametrize("name", STAGES)
def test_stage_is_what_its_spec_declares(name, device):
    stage = STAGES[name].make().to(device)
    assert isinstance(stage, Stage)
    check_stage(stage)


@every_builder
def test_model_passes_check_model(name, device):
    check_model(MODELS[name].make(name).to(device))


# ---- shapes and dtypes


@every_part
def test_shapes(name, device):
    descriptor = PARTS[name]
    part = descriptor.make().to(device)
    for size in ((1, 1), (2, 3), (5, 2)):
        outputs = descriptor.run(part, descriptor.feed(*size, n=3, device=device))
        assert [tuple(x.shape) for x in outputs] == descriptor.shapes(*size, n=3)


def check_dtypes(module, run, inputs):
    """Check that a module computes in the dtype of its parameters, and about the same as in float64."""
    exact = run(module.double(), tuple(x.double() for x in inputs))
    for dtype, tolerance in TOLERANCE.items():
        rounded = run(copy.deepcopy(module).to(dtype), tuple(x.to(dtype) for x in inputs))
        for x, wanted in zip(rounded, exact, strict=True):
            assert x.dtype == dtype
            torch.testing.assert_close(x.double(), wanted, rtol=0, atol=tolerance * max(1.0, wanted.abs().max().item()))


@every_part
@torch.no_grad()
def test_dtypes(name, device):
    descriptor = PARTS[name]
    check_dtypes(descriptor.make().to(device), descriptor.run, descriptor.feed(2, 3, device=device))


@every_builder
@torch.no_grad()
def test_model_dtypes(name, device):
    model = MODELS[name].make(name).to(device)
    check_dtypes(model, lambda model, images: (model(*images),), (_image(model, 1, 2, device=device),))


# ---- samples, gradients, side effects; check_block, check_stage and check_model have seen to the first and the last for the others


@every_connector
def test_samples_do_not_affect_each_other(name, device):
    descriptor = PARTS[name]
    part = descriptor.make().to(device)
    inputs = tuple(x.to(device) for x in descriptor.feed(2, 3, n=3))
    together = descriptor.run(part, inputs)
    for i in range(3):
        alone = descriptor.run(part, tuple(x[i : i + 1] for x in inputs))
        for x, wanted in zip(together, alone, strict=True):
            torch.testing.assert_close(x[i : i + 1], wanted, rtol=1e-5, atol=1e-5)


@every_part
def test_gradient_reaches_every_parameter_and_input(name, device):
    descriptor = PARTS[name]
    part = descriptor.make().to(device)
    inputs = tuple(x.to(device).requires_grad_() for x in descriptor.feed(2, 3))
    sum(x.square().sum() for x in descriptor.run(part, inputs)).backward()
    for key, tensor in [*part.named_parameters(), *enumerate(inputs)]:
        assert tensor.grad is not None, f"no gradient reaches {key}"
        assert tensor.grad.isfinite().all()
        assert tensor.grad.any(), f"the gradient of {key} is zero"


def disagreement(function, tensors, gradients):
    """Return how far gradients of a function are from its differences, in units of the contribution of one tensor.

    All tensors change at once, each in a random direction in which its gradient says that the function grows by one. So every
    gradient counts the same, however small: one that is wrong by 1 % makes a difference of 0.01.
    """
    random = torch.Generator().manual_seed(2)
    directions = [gradient * (0.5 + torch.rand(gradient.shape, generator=random)) for gradient in gradients]
    growth = [(gradient * direction).sum() for gradient, direction in zip(gradients, directions, strict=True)]
    directions = [direction / (grown or 1) for direction, grown in zip(directions, growth, strict=True)]
    step = 1e-6
    ahead, behind = (function([x + s * d for x, d in zip(tensors, directions, strict=True)]) for s in (step, -step))
    return abs((ahead - behind).item() / (2 * step) - sum(grown != 0 for grown in growth))


def as_function(descriptor):
    """Return a part as a function of its parameters and inputs, a random sum of its outputs; and the parameters and inputs."""
    part = Flat(descriptor, descriptor.make().double())
    names = list(dict(part.named_parameters()))
    tensors = [*part.parameters(), *descriptor.feed(1, 2, dtype=torch.float64)]

    def function(tensors):
        named = dict(zip(names, tensors, strict=False))
        outputs = torch.func.functional_call(part, named, tuple(tensors[len(names) :]))
        vector = torch.cat([x.flatten() for x in outputs])
        return vector @ torch.randn(vector.shape, generator=torch.Generator().manual_seed(1), dtype=vector.dtype)

    return function, [x.detach().requires_grad_() for x in tensors]


@every_part
def test_gradients_agree_with_differences(name):
    function, tensors = as_function(PARTS[name])
    gradients = torch.autograd.grad(function(tensors), tensors)
    with torch.no_grad():
        assert disagreement(function, tensors, gradients) < 1e-3


def test_one_gradient_that_is_wrong_by_a_percent_is_seen():
    function, tensors = as_function(PARTS["stage:unet"])
    gradients = torch.autograd.grad(function(tensors), tensors)
    with torch.no_grad():
        for i, gradient in enumerate(gradients):
            wrong = [*gradients[:i], 1.01 * gradient, *gradients[i + 1 :]]
            assert not gradient.any() or disagreement(function, tensors, wrong) > 5e-3


@every_builder
def test_model_gradients_agree_with_differences(name):
    model = MODELS[name].make(name).double()
    image = _image(model, 1, 1, n=1, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(model, image, fast_mode=True)


@every_connector
def test_inputs_are_not_modified(name, device):
    descriptor = PARTS[name]
    inputs = tuple(x.to(device) for x in descriptor.feed(2, 3))
    before = [x.clone() for x in inputs]
    with torch.no_grad():
        descriptor.run(descriptor.make().to(device), inputs)
    assert all(torch.equal(x, y) for x, y in zip(inputs, before, strict=True))


# ---- tracing


@every_traced_part
@tracing
def test_part_compiles_in_one_graph(name, device):
    descriptor = PARTS[name]
    part = Flat(descriptor, descriptor.make().to(device))
    inputs = tuple(x.to(device) for x in descriptor.feed(2, 3))
    torch._dynamo.reset()
    compiled = torch.compile(part, backend="eager", fullgraph=True)  # the export makes it functional
    for x, wanted in zip(compiled(*inputs), part(*inputs), strict=True):
        torch.testing.assert_close(x, wanted, rtol=1e-5, atol=1e-5)


@every_traced_model
@tracing
def test_model_compiles_in_one_graph(name, device):
    model = TRACED[name]().to(device)
    image = _image(model, 1, 2, device=device)
    torch._dynamo.reset()
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(image), model(image), rtol=1e-5, atol=1e-5)


@every_traced_part
@tracing
def test_part_exports_with_dynamic_sizes(name, device):
    """The exported program, traced at one size and batch, agrees with the part at another."""
    descriptor = PARTS[name]
    part = Flat(descriptor, descriptor.make().to(device))
    n, height, width = Dim("n", min=1, max=64), Dim("height", min=2, max=64), Dim("width", min=2, max=64)
    dynamic = tuple(
        {0: n, 2: descriptor.stride // level.stride * height, 3: descriptor.stride // level.stride * width}
        for level in descriptor.takes
    )
    traced = tuple(x.to(device) for x in descriptor.feed(3, 5))
    program = export(part, traced, dynamic_shapes={"inputs": dynamic}).module()
    other = tuple(x.to(device) for x in descriptor.feed(6, 4, n=3))
    for x, wanted in zip(program(*other), part(*other), strict=True):
        torch.testing.assert_close(x, wanted, rtol=1e-5, atol=1e-5)


@every_traced_model
@tracing
def test_model_exports_with_dynamic_sizes(name, device):
    """As above; height and width may be any multiples of ``size_multiple`` from the second on."""
    model = TRACED[name]().to(device)
    n, height, width = Dim("n", min=1, max=64), Dim("height", min=2, max=64), Dim("width", min=2, max=64)
    dynamic = {"image": {0: n, 2: model.size_multiple * height, 3: model.size_multiple * width}}
    program = export(model, (_image(model, 2, 3, device=device),), dynamic_shapes=dynamic).module()
    other = _image(model, 4, 2, n=3, device=device)
    torch.testing.assert_close(program(other), model(other), rtol=1e-5, atol=1e-5)


@every_part
def test_part_stays_on_the_device_of_its_inputs(name):
    """A part that makes tensors on the CPU fails here even where there is no GPU: fake tensors only know their device."""
    descriptor = PARTS[name]
    with FakeTensorMode():
        with torch.device("cuda"):
            part = descriptor.make()
        outputs = descriptor.run(part, descriptor.feed(2, 3, device="cuda"))
    assert {x.device.type for x in outputs} == {"cuda"}


@every_builder
def test_model_stays_on_the_device_of_its_inputs(name):
    with FakeTensorMode():
        with torch.device("cuda"):
            model = MODELS[name].make(name)
        outputs = model.forward_stages(torch.rand(1, model.image_channels, *[2 * model.size_multiple] * 2, device="cuda"))
    assert {x.device.type for x in outputs} == {"cuda"}


# ---- names and files


@every_part
def test_state_dict_round_trip(name, device):
    descriptor = PARTS[name]
    part, other = descriptor.make().to(device), descriptor.make().to(device)
    other.load_state_dict(part.state_dict())
    inputs = tuple(x.to(device) for x in descriptor.feed(1, 2))
    for x, wanted in zip(descriptor.run(other, inputs), descriptor.run(part, inputs), strict=True):
        assert torch.equal(x, wanted)


@every_builder
def test_weights_round_trip(name, device, tmp_path):
    model = MODELS[name].make(name).to(device)
    save_weights(model, tmp_path / "model.safetensors")
    other = load_weights(MODELS[name].make(name).to(device), tmp_path / "model.safetensors")
    loaded = other.state_dict()
    for key, tensor in model.state_dict().items():
        assert torch.equal(loaded[key], tensor), key


@functools.cache
def _shapes(name, family):
    """Return the shapes of a model with the arguments of a family."""
    with torch.device("meta"):
        return {key: x.shape for key, x in create_model(name, **FAMILIES[family].arguments).state_dict().items()}


@pytest.mark.parametrize("name", [name for name, model in MODELS.items() if model.variant_of])
def test_variant_only_fills_in_numbers(name):
    """A variant is the model it is one of, with other numbers; its arguments override them."""
    family = MODELS[name].variant_of
    assert _shapes(name, family) == _shapes(family, family)


def test_parameter_names_are_pinned():
    """Those of every part and model as soon as the manifest has it, which a release sees to."""
    pinned, found = json.loads(MANIFEST.read_text()), parameter_names()
    changed = {name: sorted({*names} ^ {*found.get(name, [])}) for name, names in pinned.items() if names != found.get(name)}
    assert not changed, (
        f"names of parameters changed: {changed}. Checkpoints hold these names. If the change is meant, keep old checkpoints "
        "readable (Originals of the models concerned), and write the manifest again: python tests/_helpers/descriptors.py"
    )
