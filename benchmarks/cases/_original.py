"""The original MPRNet, with the weights of ours: what speed and training are compared with.

It is the copy in the package spandrel_extra_arches, which is for non-commercial use: it is measured, never needed.
"""

from torch import nn

import restorekit
from restorekit.checkpoints import original_names


def original_mprnet(ours: restorekit.RestorationNetwork) -> nn.Module:
    """Return the original network with the weights of one of this library, under their original names."""
    from spandrel_extra_arches.architectures.MPRNet import MPRNetArch

    names = {mine: theirs for theirs, mine in original_names(ours).items()}
    state = {}
    for full_name, tensor in ours.state_dict().items():
        module, _, parameter = full_name.rpartition(".")
        state[f"{names[module]}.{parameter}"] = tensor
    return MPRNetArch().load(state).model
