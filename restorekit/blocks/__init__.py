"""Blocks: the modules that stages are made of, one idea of one paper a file."""

from restorekit.blocks.channel_attention import BlockFactory, ChannelAttention, ChannelAttentionBlock
from restorekit.blocks.conv import conv
from restorekit.blocks.original_resolution import OriginalResolutionBlock
from restorekit.blocks.resize import Downsample, Upsample
from restorekit.blocks.supervised_attention import ResidualHead, SupervisedAttentionModule

__all__ = [
    "BlockFactory",
    "ChannelAttention",
    "ChannelAttentionBlock",
    "Downsample",
    "OriginalResolutionBlock",
    "ResidualHead",
    "SupervisedAttentionModule",
    "Upsample",
    "conv",
]
