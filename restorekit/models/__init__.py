"""Models: one file a paper. Importing this package registers all of them."""

from restorekit.models.mprnet import mprnet, mprnet_deblur, mprnet_denoise, mprnet_derain, mprnet_tiny

__all__ = ["mprnet", "mprnet_deblur", "mprnet_denoise", "mprnet_derain", "mprnet_tiny"]
