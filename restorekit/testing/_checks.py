"""Checks that blocks, stages and models do what they declare.

They work for custom parts as well as for those of this library; each raises an ``AssertionError`` that says what was
declared and what was found. The part runs in evaluation mode, on the device and in the dtype of its parameters; its weights,
gradients and mode and the random number generators are left as they were.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from restorekit.checkpoints import original_names
from restorekit.network import RestorationNetwork
from restorekit.ops import Grid, Pyramid, regrid_pyramid
from restorekit.stages import Level, Stage, TimmUNetStage

BATCH = 2
ORDINALS = ("first", "second")


def check_block(block: nn.Module, width: int, *, size: tuple[int, int] = (8, 12), seed: int = 0) -> None:
    """Check that a block maps features to features of the same shape, and can be part of a network.

    It checks the shape and dtype of the output, that it is finite, that samples of a batch do not affect each other (patches are
    samples of the batch), not in training mode either, that the input is not modified, and that the gradient reaches every
    parameter.

    Args:
        block: the block.
        width: channels of its features.
        size: height and width of the features to try, in pixels.
        seed: seed of the features.

    Raises:
        AssertionError: if a check fails; the message says what was found.

    Example:
        >>> from restorekit.blocks import ChannelAttentionBlock
        >>> check_block(ChannelAttentionBlock(8), width=8)
        >>> check_block(torch.nn.Conv2d(8, 8, 3), width=8)
        Traceback (most recent call last):
        ...
        AssertionError: Conv2d: output has shape (2, 8, 6, 10); a block of width 8 must give (2, 8, 8, 12), its input's shape
    """
    name = type(block).__name__
    x = _features(block, Level(width), size, seed)

    def run(inputs: Pyramid) -> Pyramid:
        output = block(inputs[0])
        _check(isinstance(output, Tensor), f"{name}: output is a {type(output).__name__}; a block must return one tensor")
        _check(
            output.shape == x.shape,
            f"{name}: output has shape {tuple(output.shape)}; a block of width {width} must give {tuple(x.shape)}, "
            "its input's shape",
        )
        return (output,)

    _check_behaviour(name, block, run, {"input": x}, output_names=["output"], seed=seed)


def check_stage(stage: Stage, *, size: tuple[int, int] | None = None, seed: int = 0) -> None:
    """Check that a stage does what its spec declares.

    It passes features of the declared shapes to ``encode`` and ``decode``, and compares the results with the declaration. It also
    checks that ``decode`` works on patches of another grid than ``encode``, that levels are declared finest first, that every
    level of inputs and guidance is used, that the features between the two halves (which feature fusion also uses) are not
    modified, and everything that :func:`check_block` checks.

    Args:
        stage: the stage.
        size: height and width at stride 1, in pixels, multiples of every stride and of ``spec.multiple``; by default a small
            size.
        seed: seed of the features.

    Raises:
        AssertionError: if a check fails; the message says what is declared and what was found.

    Example:
        >>> from restorekit.stages import UNetStage
        >>> check_stage(UNetStage((8, 12), guided=True))
    """
    name, spec = type(stage).__name__, stage.spec
    declared = {"inputs": spec.inputs, "encoder": spec.encoder, "decoder": spec.decoder, "guidance": spec.guidance}
    for part, levels in declared.items():
        _check(part == "guidance" or len(levels) > 0, f"{name}: spec.{part} is empty; at least one level is needed")
        strides = [level.stride for level in levels]
        _check(strides == sorted(strides), f"{name}: spec.{part} declares strides {strides}; they must be finest first")
    _check(spec.multiple >= 1, f"{name}: spec.multiple is {spec.multiple}; it must be at least 1")
    multiple, coarsest = _multiple(stage), max(level.stride for levels in declared.values() for level in levels)
    size = (2 * multiple, 3 * multiple) if size is None else size
    reason = (
        f"of its stride {coarsest}" if multiple == coarsest else f"of {multiple}: its stride {coarsest}, multiple {spec.multiple}"
    )
    _check(
        size[0] % multiple == 0 and size[1] % multiple == 0,
        f"{name}: cannot be tried with {size[0]}x{size[1]}; height and width must be multiples {reason}",
    )
    given = _inputs(stage, size, seed)
    num_inputs = len(spec.inputs)

    def run(inputs: Pyramid) -> Pyramid:
        encoded, kept, decoded = _halves(stage, inputs, size)
        for i, (x, before) in enumerate(zip(encoded, kept, strict=True)):
            _check(
                torch.equal(x.detach(), before),
                f"{name}: decode modifies level {i} of what encode returned; feature fusion uses it too, so do not modify it",
            )
        return encoded + decoded

    output_names = [f"level {i} of {half}" for half in ("encoder", "decoder") for i in range(len(declared[half]))]
    _check_behaviour(name, stage, run, given, output_names=output_names, seed=seed)
    with _evaluation(stage), torch.no_grad():  # two patches become one image, as between two stages of MPRNet
        features = tuple(given.values())
        encoded = regrid_pyramid(stage.encode(features[:num_inputs], features[num_inputs:]), Grid(2, 1), Grid(1, 1))
        decoded = stage.decode(encoded)
    joined = (2 * size[0], size[1])
    _check_pyramid(name, "decode on another grid", decoded, part="decoder", levels=spec.decoder, batch=1, size=joined)


def check_model(model: RestorationNetwork, *, size: tuple[int, int] | None = None, seed: int = 0) -> None:
    """Check that a model maps images to images as its ``output`` declares, at every supervised output.

    It also checks that every stage in it returns what its spec declares, that ``forward`` returns the last output, that
    ``num_supervised`` outputs have full size, that a size that ``size_multiple`` rules out is rejected, that the names of the
    authors' checkpoints lead to existing modules, and everything that :func:`check_block` checks.

    Args:
        model: the model.
        size: height and width of the image to try, multiples of ``size_multiple``; by default a small size.
        seed: seed of the image.

    Raises:
        AssertionError: if a check fails; the message says what is declared and what was found.

    Example:
        >>> from restorekit import create_model
        >>> check_model(create_model("mprnet", width=8, unet_step=4, ors_step=4, num_blocks=1))
    """
    name, multiple = type(model).__name__, model.size_multiple
    _check(multiple >= 1, f"{name}: size_multiple is {multiple}; it must be at least 1")
    known = {module for module, _ in model.named_modules(remove_duplicate=False)} | model.state_dict(keep_vars=True).keys()
    absent = sorted(set(original_names(model).values()) - known)
    _check(not absent, f"{name}: the names of the authors' checkpoints lead to modules that do not exist: {', '.join(absent[:3])}")
    side = multiple * -(-8 // multiple)
    height, width = (side, side + multiple) if size is None else size
    like = _like(model)
    image = torch.rand(BATCH, model.input_channels, height, width, generator=torch.Generator().manual_seed(seed)).to(like)
    channels, scale = model.output_channels, model.output.scale
    whole = (BATCH, channels, scale * height, scale * width)
    declared = f"the result is {whole[1:]} for an image of {tuple(image.shape[1:])}"
    for stage in model.modules():
        if isinstance(stage, Stage):
            _check_halves(stage, seed)

    def run(inputs: Pyramid) -> Pyramid:
        restored = model.forward_stages(inputs[0])
        _check(len(restored) > 0, f"{name}: forward_stages returned no image; it must return at least the result")
        for i, output in enumerate(restored):
            stride = max(1, whole[2] // max(1, output.shape[-2]))
            _check(
                tuple(output.shape) == (*whole[:2], whole[2] // stride, whole[3] // stride),
                f"{name}: output {i} of forward_stages has shape {tuple(output.shape)}; it must have {whole}, or this at a coarser "
                f"scale: {declared}",
            )
        _check(
            tuple(restored[-1].shape) == whole,
            f"{name}: the last output of forward_stages has shape {tuple(restored[-1].shape)}; it must have {whole}: {declared}",
        )
        num_full = sum(tuple(output.shape) == whole for output in restored)
        _check(
            num_full == model.num_supervised,
            f"{name}: forward_stages returns {num_full} images of full size; num_supervised is {model.num_supervised}",
        )
        return tuple(restored)

    with _evaluation(model), torch.no_grad():
        outputs = run((image,))
        _check(
            _close(model(image), outputs[-1]),
            f"{name}: forward and the last output of forward_stages differ; they must be the same image",
        )
        if multiple > 1:
            _check(
                _refuses(model, image[..., 1:, :]),
                f"{name}: declares size_multiple {multiple}, but accepts an image of {height - 1}x{width}; it must "
                "raise a ValueError (call check_image first)",
            )
    _check_behaviour(name, model, run, {"image": image}, output_names=[f"output {i}" for i in range(len(outputs))], seed=seed)


def _check_halves(stage: Stage, seed: int) -> None:
    """Raise unless both halves of a stage return what its spec declares."""
    side = _multiple(stage)
    with _evaluation(stage), torch.no_grad():
        _halves(stage, tuple(_inputs(stage, (side, 2 * side), seed).values()), (side, 2 * side))


def _halves(stage: Stage, inputs: Pyramid, size: tuple[int, int]) -> tuple[Pyramid, Pyramid, Pyramid]:
    """Return the encoded features of a stage, a copy of them before they were decoded, and the decoded ones, all checked."""
    name, spec, count = type(stage).__name__, stage.spec, len(stage.spec.inputs)
    encoded = stage.encode(inputs[:count], inputs[count:])
    _check_pyramid(name, "encode", encoded, part="encoder", levels=spec.encoder, batch=BATCH, size=size)
    kept = tuple(x.detach().clone() for x in encoded)
    decoded = stage.decode(encoded)
    _check_pyramid(name, "decode", decoded, part="decoder", levels=spec.decoder, batch=BATCH, size=size)
    return encoded, kept, decoded


def _multiple(stage: Stage) -> int:
    """Return the number whose multiples height and width at stride 1 must be."""
    spec = stage.spec
    levels = (*spec.inputs, *spec.encoder, *spec.decoder, *spec.guidance)
    return math.lcm(max(level.stride for level in levels), spec.multiple)


def _inputs(stage: Stage, size: tuple[int, int], seed: int) -> dict[str, Tensor]:
    """Return inputs and guidance of the declared shapes, by name."""
    declared = {"inputs": stage.spec.inputs, "guidance": stage.spec.guidance}
    return {
        f"level {i} of {part}": _features(stage, level, size, seed + 10 * len(part) + i)
        for part, levels in declared.items()
        for i, level in enumerate(levels)
    }


def _check_behaviour(
    name: str,
    module: nn.Module,
    run: Callable[[Pyramid], Pyramid],
    inputs: Mapping[str, Tensor],
    *,
    output_names: Sequence[str],
    seed: int,
) -> None:
    """Check everything that every part must fulfil: dtype, finite values, independent samples, unmodified inputs, gradients."""
    given = tuple(inputs.values())
    _check_batch_statistics(name, module)
    with _evaluation(module), torch.no_grad():
        fed = tuple(x.clone() for x in given)
        outputs = dict(zip(output_names, run(fed), strict=True))
        for (input_name, before), x in zip(inputs.items(), fed, strict=True):
            _check(torch.equal(x, before), f"{name}: modifies its {input_name}; work on a copy")
        for output_name, output in outputs.items():
            _check(
                output.dtype == given[0].dtype,
                f"{name}: {output_name} is {output.dtype}; it must have the dtype of inputs and parameters, {given[0].dtype}",
            )
            _check(bool(output.isfinite().all()), f"{name}: {output_name} has NaN or infinite values")
        for changed, kept in ((1, 0), (0, 1)):
            others = run(_with_another_sample(given, changed, seed))
            for (output_name, before), after in zip(outputs.items(), others, strict=True):
                _check(
                    _close(after[kept], before[kept]),
                    f"{name}: the {ORDINALS[kept]} sample of {output_name} changes with the {ORDINALS[changed]} sample of the "
                    "batch; patches are samples of the batch, so samples must not affect each other",
                )
    with _evaluation(module):
        leaves = {key: x.clone().requires_grad_() for key, x in inputs.items()}
        _check_gradients(name, module, leaves, run(tuple(leaves.values())))


def _check_gradients(name: str, module: nn.Module, inputs: Mapping[str, Tensor], outputs: Pyramid) -> None:
    """Raise unless the gradient of the outputs reaches every parameter and every input."""
    sources: dict[str, Tensor] = {f"its {key}": x for key, x in inputs.items()}
    for key, parameter in module.named_parameters():
        if parameter.requires_grad:
            sources[f"parameter {key}"] = parameter
    connected = [output.square().sum() for output in outputs if output.requires_grad]
    _check(bool(connected), f"{name}: no output depends on inputs or parameters; is it detached, or computed under no_grad?")
    gradients = torch.autograd.grad(torch.stack(connected).sum(), list(sources.values()), allow_unused=True)
    for key, gradient in zip(sources, gradients, strict=True):
        _check(gradient is not None, f"{name}: no gradient reaches {key}; use it, or remove it")
        _check(gradient is None or bool(gradient.isfinite().all()), f"{name}: the gradient of {key} is NaN or infinite")


def _with_another_sample(inputs: Pyramid, place: int, seed: int) -> Pyramid:
    changed: list[Tensor] = []
    for i, x in enumerate(inputs):
        changed.append(x.clone())
        changed[i][place] = torch.rand(x[place].shape, generator=torch.Generator().manual_seed(seed + 100 + i)).to(x)
    return tuple(changed)


def _check_batch_statistics(name: str, module: nn.Module) -> None:
    """Raise if a module normalises by statistics of the batch in training mode; only backbones of timm may, as their page says."""
    backbones = {part for stage in module.modules() if isinstance(stage, TimmUNetStage) for part in stage.backbone.modules()}
    for place, part in module.named_modules():
        _check(
            not isinstance(part, _BatchNorm) or part in backbones,
            f"{name}: {place or 'it'} ({type(part).__name__}) normalises by statistics of the batch in training mode, so samples "
            "affect each other; use a normalisation of each sample, such as torch.nn.GroupNorm",
        )


def _check_pyramid(
    name: str, method: str, found: object, *, part: str, levels: Sequence[Level], batch: int, size: tuple[int, int]
) -> None:
    """Raise unless a pyramid is as declared."""
    _check(isinstance(found, tuple), f"{name}: {method} returned a {type(found).__name__}; it must be a tuple of tensors")
    assert isinstance(found, tuple)  # for the type checker
    _check(
        len(found) == len(levels),
        f"{name}: {method} returned {len(found)} levels; spec.{part} declares {len(levels)}",
    )
    for i, (x, level) in enumerate(zip(found, levels, strict=True)):
        wanted = (batch, level.width, size[0] // level.stride, size[1] // level.stride)
        _check(
            tuple(x.shape) == wanted,
            f"{name}: {method} returned {tuple(x.shape)} at level {i}; spec.{part} declares {level.width} channels at stride "
            f"{level.stride}, which is {wanted}",
        )


def _features(module: nn.Module, level: Level, size: tuple[int, int], seed: int) -> Tensor:
    shape = (BATCH, level.width, size[0] // level.stride, size[1] // level.stride)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(_like(module))


def _like(module: nn.Module) -> Tensor:
    """Return a tensor of the module's device and dtype; the first parameter, if there is one."""
    return next((p.detach() for p in module.parameters() if p.is_floating_point()), torch.empty(0))


def _close(found: Tensor, wanted: Tensor) -> bool:
    """Return whether two tensors agree up to the order of summation."""
    if found.shape != wanted.shape:
        return False
    tolerance = 100 * torch.finfo(wanted.dtype).eps * max(1.0, wanted.abs().amax().item())
    return bool((found - wanted).abs().amax().item() <= tolerance)


def _refuses(model: RestorationNetwork, image: Tensor) -> bool:
    try:
        model(image)
    except ValueError:
        return True
    return False


@contextmanager
def _evaluation(module: nn.Module) -> Iterator[None]:
    """Put a module into evaluation mode, and restore the mode of every part afterwards."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise AssertionError(message)
