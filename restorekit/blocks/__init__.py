"""Blocks: the modules that stages are made of, one idea of one paper a file."""

import importlib
import pkgutil

from restorekit.blocks.channel_attention import ChannelAttention, ChannelAttentionBlock
from restorekit.blocks.conv import conv
from restorekit.blocks.cross_gating import CrossGating, CrossGatingBlock, SplitHeadGating
from restorekit.blocks.entry import AddJoin, ConcatJoin, conv_block
from restorekit.blocks.gated_mlp import GatedMLP, MultiAxisGatedMLP
from restorekit.blocks.guidance import AddGuidance, GatedGuidance
from restorekit.blocks.half_instance_norm import HalfInstanceNorm, HalfInstanceNormBlock
from restorekit.blocks.naf import NAFBlock, SimplifiedChannelAttention
from restorekit.blocks.norm import ChannelLayerNorm
from restorekit.blocks.original_resolution import OriginalResolutionBlock
from restorekit.blocks.residual_channel_attention import ResidualChannelAttentionBlock, ResidualDenseChannelAttentionBlock
from restorekit.blocks.residual_dense import ResidualDenseBlock
from restorekit.blocks.resize import Downsample, PixelShuffle, RatioResize, StridedConv, TransposedConv, Upsample
from restorekit.blocks.sized import SizedModule, multiple_of
from restorekit.blocks.spatial_mixing import SpatialMixing
from restorekit.blocks.supervised_attention import NoSupervision, PlainSupervision, ResidualHead, SupervisedAttentionModule
from restorekit.blocks.transformer import GatedDconvFeedForward, MultiDconvHeadTransposedAttention, TransformerBlock

__all__ = [
    "AddGuidance",
    "AddJoin",
    "ChannelAttention",
    "ChannelAttentionBlock",
    "ChannelLayerNorm",
    "ConcatJoin",
    "CrossGating",
    "CrossGatingBlock",
    "Downsample",
    "GatedDconvFeedForward",
    "GatedGuidance",
    "GatedMLP",
    "HalfInstanceNorm",
    "HalfInstanceNormBlock",
    "MultiAxisGatedMLP",
    "MultiDconvHeadTransposedAttention",
    "NAFBlock",
    "NoSupervision",
    "OriginalResolutionBlock",
    "PixelShuffle",
    "PlainSupervision",
    "RatioResize",
    "ResidualChannelAttentionBlock",
    "ResidualDenseBlock",
    "ResidualDenseChannelAttentionBlock",
    "ResidualHead",
    "SimplifiedChannelAttention",
    "SizedModule",
    "SpatialMixing",
    "SplitHeadGating",
    "StridedConv",
    "SupervisedAttentionModule",
    "TransformerBlock",
    "TransposedConv",
    "Upsample",
    "conv",
    "conv_block",
    "multiple_of",
]

for module in pkgutil.iter_modules(__path__):  # so that the parts of every file are registered, named above or not
    importlib.import_module(f"{__name__}.{module.name}")
