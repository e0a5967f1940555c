"""Models: one file a paper. Importing this package registers all of them."""

from restorekit.models._building import config_of, metadata_of, model_from_config
from restorekit.models._factory import create_model, fetch_weights, full_name, model_from_checkpoint, pretrained_config
from restorekit.models._hinet import hinet, hinet_deblur, hinet_denoise, hinet_derain, hinet_half
from restorekit.models._maxim import (
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
from restorekit.models._mprnet import mprnet, mprnet_deblur, mprnet_denoise, mprnet_derain, mprnet_tiny
from restorekit.models._nafnet import nafnet, nafnet_deblur, nafnet_deblur_w64, nafnet_denoise, nafnet_denoise_w64
from restorekit.models._registry import ModelEntry, architectures, list_models, register_model

__all__ = [
    "ModelEntry",
    "architectures",
    "config_of",
    "create_model",
    "fetch_weights",
    "full_name",
    "hinet",
    "hinet_deblur",
    "hinet_denoise",
    "hinet_derain",
    "hinet_half",
    "list_models",
    "maxim",
    "maxim_deblur",
    "maxim_dehaze",
    "maxim_denoise",
    "maxim_derain",
    "maxim_enhance",
    "maxim_s1",
    "maxim_s2",
    "maxim_s3",
    "metadata_of",
    "model_from_checkpoint",
    "model_from_config",
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
    "pretrained_config",
    "register_model",
]
