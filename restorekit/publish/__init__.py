"""Publishing a model: on the Hugging Face Hub, or to a folder of the same form.

The methods ``save_pretrained`` and ``push_to_hub`` of :class:`restorekit.RestorationNetwork` are :func:`save` and :func:`push`.
"""

from restorekit.publish._upload import check_redistributable, push, save

__all__ = ["check_redistributable", "push", "save"]

__dir__ = __all__.copy
