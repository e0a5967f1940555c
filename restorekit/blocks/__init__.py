"""Blocks: the modules that stages are made of, one idea of one paper per file."""

from typing import TYPE_CHECKING

from restorekit._lazy import lazy

if TYPE_CHECKING:
    from restorekit.blocks._channel_attention import ChannelAttention, ChannelAttentionBlock
    from restorekit.blocks._conv import conv
    from restorekit.blocks._cross_gating import CrossGating, CrossGatingBlock, SplitHeadGating
    from restorekit.blocks._entry import AddJoin, ConcatJoin, RepeatStem, StackJoin, conv_act, conv_block
    from restorekit.blocks._gated_mlp import GatedMLP, MultiAxisGatedMLP
    from restorekit.blocks._guidance import AddGuidance, GatedGuidance
    from restorekit.blocks._half_instance_norm import HalfInstanceNorm, HalfInstanceNormBlock
    from restorekit.blocks._head import DirectHead, ImageHead, PixelShuffleHead, ResidualHead, add_image
    from restorekit.blocks._lstm import ConvLSTM
    from restorekit.blocks._merge import AddMerge, ConcatMerge, SelectiveKernelMerge
    from restorekit.blocks._multi_scale import AsymmetricFeatureFusion, FeatureAttentionModule, ShallowConvolutionalModule
    from restorekit.blocks._multi_scale_residual import MultiScaleResidualBlock
    from restorekit.blocks._naf import NAFBlock, SimplifiedChannelAttention
    from restorekit.blocks._norm import BiasFreeLayerNorm, ChannelLayerNorm
    from restorekit.blocks._original_resolution import OriginalResolutionBlock
    from restorekit.blocks._pooling import EPSILON, GlobalMean, GlobalNormalisation
    from restorekit.blocks._residual import ResidualBlock
    from restorekit.blocks._residual_channel_attention import ResidualChannelAttentionBlock, ResidualDenseChannelAttentionBlock
    from restorekit.blocks._residual_contextual import ResidualContextualBlock
    from restorekit.blocks._residual_dense import ResidualDenseBlock
    from restorekit.blocks._resize import (
        Downsample,
        PixelShuffle,
        PixelUnshuffle,
        RatioResize,
        StridedConv,
        TransposedConv,
        Upsample,
    )
    from restorekit.blocks._sized import SizedModule, multiple_of
    from restorekit.blocks._spatial_mixing import Size, SpatialMixing
    from restorekit.blocks._supervised_attention import (
        FeedbackSupervision,
        HeadSupervision,
        NoSupervision,
        PlainSupervision,
        SupervisedAttentionModule,
    )
    from restorekit.blocks._transformer import GatedDconvFeedForward, MultiDconvHeadTransposedAttention, TransformerBlock

__all__ = [
    "EPSILON",
    "AddGuidance",
    "AddJoin",
    "AddMerge",
    "AsymmetricFeatureFusion",
    "BiasFreeLayerNorm",
    "ChannelAttention",
    "ChannelAttentionBlock",
    "ChannelLayerNorm",
    "ConcatJoin",
    "ConcatMerge",
    "ConvLSTM",
    "CrossGating",
    "CrossGatingBlock",
    "DirectHead",
    "Downsample",
    "FeatureAttentionModule",
    "FeedbackSupervision",
    "GatedDconvFeedForward",
    "GatedGuidance",
    "GatedMLP",
    "GlobalMean",
    "GlobalNormalisation",
    "HalfInstanceNorm",
    "HalfInstanceNormBlock",
    "HeadSupervision",
    "ImageHead",
    "MultiAxisGatedMLP",
    "MultiDconvHeadTransposedAttention",
    "MultiScaleResidualBlock",
    "NAFBlock",
    "NoSupervision",
    "OriginalResolutionBlock",
    "PixelShuffle",
    "PixelShuffleHead",
    "PixelUnshuffle",
    "PlainSupervision",
    "RatioResize",
    "RepeatStem",
    "ResidualBlock",
    "ResidualChannelAttentionBlock",
    "ResidualContextualBlock",
    "ResidualDenseBlock",
    "ResidualDenseChannelAttentionBlock",
    "ResidualHead",
    "SelectiveKernelMerge",
    "ShallowConvolutionalModule",
    "SimplifiedChannelAttention",
    "Size",
    "SizedModule",
    "SpatialMixing",
    "SplitHeadGating",
    "StackJoin",
    "StridedConv",
    "SupervisedAttentionModule",
    "TransformerBlock",
    "TransposedConv",
    "Upsample",
    "add_image",
    "conv",
    "conv_act",
    "conv_block",
    "multiple_of",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy(__name__, __all__)
