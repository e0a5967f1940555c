"""The precision that a network runs in, and copies of networks prepared for it."""

from typing import TypeVar

import torch

from restorekit import _cpu
from restorekit.inference._copying import copy_network
from restorekit.inference._options import InferenceOptions
from restorekit.inference.passes import for_inference
from restorekit.network import RestorationNetwork

Model = TypeVar("Model", bound=RestorationNetwork)


def prepare(model: Model, *, precision: str = "auto", compile: bool = False) -> Model:
    """Return a copy of a network that is ready to restore many images; pass it to :func:`restore` instead of the network.

    :func:`restore` prepares a network in every call, because its weights may have changed. For many images, prepare it once.

    Args:
        model: the network; it is not changed.
        precision: as for :func:`restore`; ``"auto"`` chooses for 8-bit images.
        compile: whether to compile the copy (``torch.compile``). The first image of each size then takes a minute or more, and
            later ones less time.

    Returns:
        The copy: without gradients, in evaluation mode, in the precision to compute in, channels last in memory.

    Raises:
        OptionError: if the precision is unknown.

    Example:
        >>> from restorekit import create_model, restore
        >>> model = prepare(create_model("mprnet_tiny"), precision="bfloat16")
        >>> [restore(model, torch.zeros(3, *size)).shape for size in ((8, 8), (9, 5))]
        [torch.Size([3, 8, 8]), torch.Size([3, 9, 5])]
    """
    prepared = _copied(model, compute_dtype(model, precision, torch.uint8), compile=compile)
    if compile:
        prepared.compile()
    prepared.is_prepared = True
    return prepared


def converted(model: Model, dtype: torch.dtype) -> Model:
    """Return the network itself if it is ready to compute in this dtype, or a copy that is."""
    if next(model.parameters()).dtype == dtype and (model.is_prepared or not any(p.gains(model) for p in for_inference(dtype))):
        return model
    return _copied(model, dtype)


def _copied(model: Model, dtype: torch.dtype, *, compile: bool = False) -> Model:
    copied = copy_network(model).eval()
    for each in for_inference(dtype, compile=compile):
        each.run(copied)
    return copied


def compute_dtype(model: RestorationNetwork, precision: str, pixels: torch.dtype) -> torch.dtype:
    """Return the dtype to compute in, for pixels of a dtype.

    Raises:
        OptionError: if the precision is unknown.
    """
    InferenceOptions(precision=precision)  # checks the precision
    if precision != "auto":
        return getattr(torch, precision)
    parameter = next(model.parameters())
    faster = parameter.dtype == torch.float32 and pixels == torch.uint8 and has_bfloat16(parameter.device)
    return torch.bfloat16 if faster else parameter.dtype


def has_bfloat16(device: torch.device) -> bool:
    """Return whether bfloat16 is faster than float32 on a device."""
    if device.type == "cpu":
        capabilities = _cpu.capabilities()
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
