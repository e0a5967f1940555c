"""Networks that work on patches, without the visible lines at the borders of patches."""

import copy
from typing import TypeVar

from restorekit.network import RestorationNetwork
from restorekit.ops import WHOLE
from restorekit.stages import MultiStage

Model = TypeVar("Model", bound=RestorationNetwork)


def seamless(model: Model) -> Model:
    """Return a copy of a network in which all stages work on the whole image.

    MPRNet's first two stages work on patches. A convolution sees zeros beyond the border of a patch, where the neighbouring patch
    has pixels, and that leaves a faint line across flat parts of a picture. In the copy, convolutions see these pixels, and means
    of channels are over the whole image. The weights do not change. Results differ from the published ones, more so
    near a former border. A network without patches is copied unchanged.

    To combine it with local pooling, apply that first, ``seamless(local_pooling(model))``: its windows depend on the patches that
    the network was trained on.

    Args:
        model: the network; it is not changed.

    Returns:
        The copy, with separate weights under the same names. Its ``size_multiple`` may be smaller.

    Example:
        >>> from restorekit import create_model
        >>> model = create_model("mprnet_tiny")
        >>> model.size_multiple, seamless(model).size_multiple
        (8, 4)
    """
    copied = copy.deepcopy(model)
    if isinstance(copied, MultiStage):
        copied.use_grids([WHOLE] * len(copied.order))
    return copied
