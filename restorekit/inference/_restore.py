"""Restoring one image."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from torch import nn

from restorekit.inference._options import OPTIONS, InferenceOptions
from restorekit.inference._progress import SILENT, Plan, Progress
from restorekit.inference._restorer import Restorer
from restorekit.network import network_in

Restorable = TypeVar("Restorable")


def restore(
    model: nn.Module,
    image: Restorable,
    options: InferenceOptions | None = None,
    *,
    on_plan: Callable[[Plan], None] = SILENT.planned,
    on_tile: Callable[[int, int], None] = SILENT.tile_done,
    **overrides: Any,
) -> Restorable:
    """Restore an image of any size; the result has the kind of the input.

    The image is padded to a size that the network takes (reflected, or repeated at the border if it is too small for that),
    restored, cropped, clamped to [0, 1] and, for integer pixels, rounded. A grey image goes through a colour network as three equal
    channels, whose mean is the result. Transparency (one more channel than the network takes) is kept. The model is not changed.

    An image that does not fit into memory is cut into tiles that overlap and fade into each other. Networks that use statistics of
    the whole image, for channel attention for example, then use those of tiles, so the result differs a little.

    For many images, create a :class:`~restorekit.inference.Restorer` once and call it: this function creates one for every call.

    Args:
        model: the network, or the result of :func:`prepare` for it. It may be in a wrapper such as ``DataParallel``, which is not
            used.
        image: one of

            - a tensor, C x H x W or N x C x H x W: floating point in [0, 1], uint8 or uint16;
            - an array, H x W or H x W x C: floating point in [0, 1], uint8 or uint16;
            - a PIL image with 8 bits per channel, or grey with 16;
            - the path of an image file; the result is a PIL image.
        options: how to restore.
        on_plan: is called before the first tile with the :class:`~restorekit.inference.Plan`.
        on_tile: is called after each tile with the number of tiles done, and the total.
        **overrides: fields of :class:`~restorekit.inference.InferenceOptions`, such as ``strength=0.7`` or ``tile=512``, and values
            of the network's conditions, such as ``noise_level=25``.

    Returns:
        The restored image, with the same kind, dtype and device, and the same shape unless
        the network's ``output`` says otherwise; a PIL image keeps its colour profile and EXIF data.

    Raises:
        OptionError: if an option is not valid, or not with this network.
        ValueError: if the image is empty, has a wrong dtype or range, or has channels that the network does not take.
        ImageError: if an image file cannot be read or would lose bits.
        TypeError: if the image has an unsupported type, or there is no such option.
        MemoryError: if the image, or the smallest tile, is too large for the memory.

    Example:
        >>> import torch
        >>> from restorekit import create_model
        >>> restore(create_model("mprnet_tiny"), torch.zeros(1, 3, 30, 40), strength=0.7).shape
        torch.Size([1, 3, 30, 40])
    """
    options = options or InferenceOptions()
    options_only = OPTIONS.keys() - {"noise_level"}  # which may also be a map
    names = {condition.name for condition in network_in(model).conditions} - options_only
    given = {name: overrides.pop(name) for name in names & overrides.keys()}
    if given:
        overrides["condition"] = {**(overrides.get("condition", options.condition) or {}), **given}
    chosen = replace(options, **overrides)
    return Restorer(model, chosen)(image, progress=Progress(on_plan, on_tile))
