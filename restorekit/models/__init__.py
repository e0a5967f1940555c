"""Models: one file a paper. Importing this package registers all of them."""

from restorekit.models.hinet import hinet, hinet_deblur, hinet_denoise, hinet_derain, hinet_half
from restorekit.models.maxim import (
    maxim,
    maxim_deblur,
    maxim_dehaze,
    maxim_denoise,
    maxim_derain,
    maxim_enhance,
    maxim_s1,
    maxim_s2,
    maxim_s3,
)
from restorekit.models.mprnet import mprnet, mprnet_deblur, mprnet_denoise, mprnet_derain, mprnet_tiny
from restorekit.models.nafnet import nafnet, nafnet_deblur, nafnet_deblur_w64, nafnet_denoise, nafnet_denoise_w64

__all__ = [
    "hinet",
    "hinet_deblur",
    "hinet_denoise",
    "hinet_derain",
    "hinet_half",
    "maxim",
    "maxim_deblur",
    "maxim_dehaze",
    "maxim_denoise",
    "maxim_derain",
    "maxim_enhance",
    "maxim_s1",
    "maxim_s2",
    "maxim_s3",
    "mprnet",
    "mprnet_deblur",
    "mprnet_denoise",
    "mprnet_derain",
    "mprnet_tiny",
    "nafnet",
    "nafnet_deblur",
    "nafnet_deblur_w64",
    "nafnet_denoise",
    "nafnet_denoise_w64",
]
