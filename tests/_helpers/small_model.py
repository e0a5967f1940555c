"""A model as quick to build as a model can be, and its weights in every form that they are published in."""

import io

import torch
from safetensors.torch import save

from restorekit.checkpoints import Originals, to_original_names
from restorekit.network import RestorationNetwork
from restorekit.provenance import PretrainedConfig, WeightsLicence

ORIGINALS = Originals(lambda: {"shallow": "head", "tail": "tail"})
LICENCE = WeightsLicence("Test Licence", False, "https://example.org/terms")


class Small(RestorationNetwork):
    """A network as quick to build as a network can be."""

    def __init__(self, width=4):
        super().__init__()
        self.image_channels, self.size_multiple = 3, 1
        self.head = torch.nn.Conv2d(3, width, 3)
        self.tail = torch.nn.Conv2d(width, 3, 3)

    def forward_stages(self, image, *, stages=None, coarse=True):
        return [self.tail(self.head(image))]


def network(seed=0, **arguments):
    torch.manual_seed(seed)
    return Small(**arguments)


def original(model, wrapper="state_dict"):
    """Return a checkpoint as the authors would have written it."""
    state = to_original_names(model.state_dict(), ORIGINALS.names())
    return pickled({wrapper: state, "epoch": 3})


def pickled(content):
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def safetensors(model):
    """Return a safetensors file in the names of this library."""
    return save({name: tensor.clone() for name, tensor in model.state_dict().items()})


def about(*sources, **changes):
    known = {"task": "derain", "licence": LICENCE, "training_data": "rain", "trained_by": "the lab", "source": "a paper"}
    return PretrainedConfig(**known | changes, sources=sources)
