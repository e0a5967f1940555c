"""Publishing a model: on the Hugging Face Hub, or to a folder of the same form.

The methods ``save_pretrained`` and ``push_to_hub`` of :class:`restorekit.RestorationNetwork` are implemented here.
"""

from restorekit.publish._methods import push_to_hub, save_pretrained
from restorekit.publish._upload import push, save

__all__ = ["push", "push_to_hub", "save", "save_pretrained"]

__dir__ = __all__.copy
