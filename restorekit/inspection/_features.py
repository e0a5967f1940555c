"""The features that the stages of a network compute for an image."""

from collections.abc import Collection
from typing import Any, NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from restorekit.errors import OptionError
from restorekit.ops import WHOLE, Pyramid, regrid_pyramid
from restorekit.stages import MultiStage


class StageFeatures(NamedTuple):
    """What a stage computed for an image, finest level first; its patches are joined to the whole image.

    Attributes:
        encoded: the levels that ``spec.encoder`` declares.
        decoded: the levels that ``spec.decoder`` declares.
    """

    encoded: Pyramid
    decoded: Pyramid


def features(
    model: MultiStage, image: Float[Tensor, "n c h w"], *, stages: Collection[int] | None = None
) -> dict[int, StageFeatures]:
    """Return the features of stages, for losses on features, probes or pictures. Gradients flow through them.

    Args:
        model: a network of stages.
        image: degraded image in [0, 1], followed by the channels of the conditions.
        stages: places of the stages in the order in which they run, from 0; by default all.

    Raises:
        OptionError: if there is no such stage.
        ValueError: if the image does not suit the network.

    Example:
        >>> import torch
        >>> from restorekit import compose
        >>> model = compose({"stages": [{"name": "unet", "widths": [4, 6]}]})
        >>> [level.shape for level in features(model, torch.zeros(1, 3, 8, 8), stages=[0])[0].decoded]
        [torch.Size([1, 4, 8, 8]), torch.Size([1, 6, 4, 4])]
    """
    places = range(len(model.runs))
    wanted = places if stages is None else stages
    if wrong := sorted(set(wanted) - set(places)):
        raise OptionError("stages", f"must be from 0 to {len(places) - 1}, the places of the stages; got {wrong[0]}")
    passes: list[StageFeatures] = []  # a stage that is used several times is called several times

    def keep(module: nn.Module, inputs: Any, outputs: tuple[Pyramid, Pyramid]) -> None:
        grid = model.grids[len(passes) + 1]
        passes.append(StageFeatures(*(regrid_pyramid(pyramid, old=grid, new=WHOLE) for pyramid in outputs)))

    handles = [stage.register_forward_hook(keep) for stage in dict.fromkeys(model.stages)]
    try:
        model.forward_stages(image)
    finally:
        for handle in handles:
            handle.remove()
    return {place: passes[place] for place in wanted}
