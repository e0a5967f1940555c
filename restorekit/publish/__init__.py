"""Publishing a model on the Hugging Face Hub."""

from restorekit.publish.upload import push, save

__all__ = ["push", "save"]
