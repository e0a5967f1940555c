"""Networks that work on patches, without the lines that borders of patches leave."""

import copy
from typing import TypeVar

from restorekit.network import RestorationNetwork
from restorekit.ops import WHOLE
from restorekit.stages import MultiStage

Model = TypeVar("Model", bound=RestorationNetwork)


def seamless(model: Model) -> Model:
    """Return a copy of a network all of whose stages work on the whole image.

    MPRNet's first two stages work on patches. A convolution sees zeros beyond the border of a patch, where the neighbouring patch
    has pixels, and that leaves a faint line across flat parts of a picture. In the copy, convolutions see these pixels, and means
    of channels are over the whole image. The weights stay as they are. Results differ from the published ones, the more the
    closer to a former border. A network without patches is copied as it is.

    Together with local pooling, that comes first, ``seamless(local_pooling(model))``: its windows follow from the patches that the
    network was trained on.

    Args:
        model: the network; it is not changed.

    Returns:
        The copy, with weights of its own, under the same names. Its ``size_multiple`` may be smaller.

    Example:
        >>> from restorekit import create_model
        >>> model = create_model("mprnet_tiny")
        >>> model.size_multiple, seamless(model).size_multiple
        (8, 4)
    """
    copied = copy.deepcopy(model)
    if isinstance(copied, MultiStage):
        copied.use_grids([WHOLE] * len(copied.stages))
    return copied
