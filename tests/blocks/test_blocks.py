"""What blocks and the U-Net do beside what all parts must do."""

import math
from functools import partial

import pytest
import torch
from torch import nn

from _helpers.descriptors import BLOCKS, awake
from _helpers.marks import mostly_nightly
from restorekit import ConfigError, create_block
from restorekit.blocks import (
    ChannelAttention,
    ChannelAttentionBlock,
    ChannelLayerNorm,
    GatedDconvFeedForward,
    MultiDconvHeadTransposedAttention,
    NAFBlock,
    PixelShuffle,
    ResidualDenseBlock,
    StridedConv,
)
from restorekit.blocks._channel_attention import ATTENTIONS
from restorekit.stages import UNetStage
from restorekit.testing import check_block, check_stage

OF_TIMM = [name for name in ATTENTIONS if name != "ca"]
every_attention = pytest.mark.parametrize("attention", OF_TIMM)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("name", BLOCKS)
def test_every_block_can_stand_in_a_unet(name, device):
    """A block with all defaults, but for its width, is a ``block`` of a U-Net."""
    stage = awake(UNetStage((4, 6), partial(create_block, name), num_blocks=1, guided=True))
    check_stage(stage.to(device))


# ---- attention of timm


def attention_block(attention, width=16):
    """Return a block whose attention of timm has no weights that are zero, as some start with."""
    block = ChannelAttentionBlock(width, attention=attention)
    for parameter in block.attention.parameters():
        nn.init.normal_(parameter, std=0.3)
    return block


@every_attention
@pytest.mark.parametrize("training", [False, True])
def test_samples_and_sizes_do_not_matter_to_attention_of_timm(attention, training, device):
    """Checked in training mode too, in which layers that need statistics of the batch mix samples or refuse one pixel."""
    block = attention_block(attention).to(device).train(training)
    for height, width in ((1, 1), (5, 7), (8, 3)):
        x = torch.randn(3, 16, height, width, device=device)
        together = block(x)
        assert together.shape == x.shape
        for i in range(3):
            torch.testing.assert_close(block(x[i : i + 1]), together[i : i + 1], rtol=1e-5, atol=1e-5)
    assert not list(block.buffers())


@every_attention
def test_block_with_attention_of_timm_is_a_block(attention, device):
    block = attention_block(attention).to(device)
    check_block(block, width=16)
    block(torch.randn(2, 16, 5, 7, device=device)).square().sum().backward()
    assert all(parameter.grad.any() for parameter in block.parameters())


@every_attention
def test_block_with_attention_of_timm_stands_in_a_unet(attention, device):
    check_stage(UNetStage((8, 12), partial(ChannelAttentionBlock, attention=attention), num_blocks=1).to(device))


@mostly_nightly("attention", OF_TIMM, {"eca"})
@pytest.mark.no_cover  # which doubles the time of tracing
@pytest.mark.usefixtures("unchecked_annotations")
def test_block_with_attention_of_timm_exports_with_dynamic_sizes(attention):
    block = attention_block(attention).eval()
    sizes = {axis: torch.export.Dim(f"size{axis}", min=2, max=64) for axis in (0, 2, 3)}
    program = torch.export.export(block, (torch.randn(2, 16, 6, 10),), dynamic_shapes=(sizes,)).module()
    other = torch.randn(3, 16, 9, 5)
    torch.testing.assert_close(program(other), block(other), rtol=1e-5, atol=1e-5)


def test_reduction_is_exact_with_attention_of_timm():
    """Left to itself, timm rounds 144 / 4 to 40."""
    assert ChannelAttentionBlock(144, attention="se").attention.fc1.out_channels == 36


def test_our_own_channel_attention_is_the_default():
    assert isinstance(ChannelAttentionBlock(8).attention, ChannelAttention)
    assert isinstance(ChannelAttentionBlock(8, attention="ca").attention, ChannelAttention)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"attention": "sse"}, r"unknown attention 'sse' .*; did you mean .*'se'.*\?"),
        ({"attention": "halo"}, r"unknown attention 'halo' \(those of timm that need statistics of the batch, .* are left out\)"),
        ({"attention": "se", "reduction": 9}, "reduction 9 leaves no hidden channel of width 8; at most 8 is possible"),
    ],
)
@pytest.mark.usefixtures("unchecked_annotations")
def test_attention_that_cannot_be_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        ChannelAttentionBlock(8, **arguments)


# ---- what the papers say


def test_layer_norm_is_its_definition():
    x = torch.randn(2, 5, 3, 4, dtype=torch.float64)
    norm = ChannelLayerNorm(5).double()
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    variance, mean = torch.var_mean(x, dim=1, keepdim=True, correction=0)
    wanted = (x - mean) / (variance + 1e-6).sqrt() * norm.weight[:, None, None] + norm.bias[:, None, None]
    torch.testing.assert_close(norm(x), wanted)


def test_a_new_naf_block_is_the_identity():
    x = torch.randn(1, 8, 5, 7)
    assert torch.equal(NAFBlock(8)(x), x)


def test_transposed_attention_is_its_definition():
    """Channel by channel: each is a mean of the values of its head's channels, weighted by how alike query and key are."""
    attention = MultiDconvHeadTransposedAttention(6, num_heads=2).double()
    nn.init.uniform_(attention.scale, 1, 5)
    x = torch.randn(1, 6, 3, 4, dtype=torch.float64)
    query, key, value = attention.depthwise(attention.expand(attention.norm(x)))[0].flatten(1).reshape(3, 6, 12)
    mixed = torch.zeros(6, 12, dtype=torch.float64)
    for c in range(6):
        head = c // 3
        others = range(3 * head, 3 * head + 3)
        alike = [torch.cosine_similarity(query[c], key[d], dim=0).item() * attention.scale[head].item() for d in others]
        total = sum(math.exp(a) for a in alike)
        for a, d in zip(alike, others, strict=True):
            mixed[c] += math.exp(a) / total * value[d]
    torch.testing.assert_close(attention(x), x + attention.project(mixed.reshape(1, 6, 3, 4)))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32], ids=str)
def test_transposed_attention_of_nothing_is_nothing(dtype):
    """All queries and keys are zero, which have no direction."""
    x = torch.zeros(1, 8, 4, 4, dtype=dtype)
    assert torch.equal(MultiDconvHeadTransposedAttention(8).to(dtype)(x), x)


def test_feed_forward_is_as_wide_as_the_paper_says():
    assert GatedDconvFeedForward(48).project.in_channels == 127  # 48 * 2.66 = 127.68


def test_every_convolution_of_a_dense_block_sees_all_before_it():
    block = ResidualDenseBlock(4, growth=2, num_convs=3)
    assert [convolution.in_channels for convolution in block.convs] == [4, 6, 8]
    assert block.fuse.in_channels == 10


def test_pixel_shuffle_puts_channels_into_squares():
    part = PixelShuffle(4, 1)
    nn.init.dirac_(part.conv.weight)
    x = torch.arange(4.0).reshape(1, 4, 1, 1)
    assert part(x).flatten().tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4, 5])
def test_strided_conv_halves_with_any_kernel(kernel_size):
    assert StridedConv(3, 5, kernel_size=kernel_size)(torch.rand(1, 3, 6, 8)).shape == (1, 5, 3, 4)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: MultiDconvHeadTransposedAttention(8, num_heads=3), "num_heads must divide the width; got 3 heads for width 8"),
        (lambda: MultiDconvHeadTransposedAttention(8, num_heads=0), "got 0 heads"),
        (lambda: GatedDconvFeedForward(4, expansion=0.2), "expansion 0.2 leaves no channel of width 4; it must be at least 0.25"),
        (lambda: ResidualDenseBlock(8, growth=0), "growth and num_convs must be at least 1; got 0 and 8"),
        (lambda: StridedConv(3, 5, kernel_size=0), "kernel_size must be positive; got 0"),
    ],
)
def test_numbers_that_make_no_block_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


# ---- the U-Net with other parts


def test_unet_has_the_blocks_that_are_asked_for():
    stage = UNetStage((4, 6, 8), encoder_blocks=(1, 0, 3), decoder_blocks=(2, 1, 0))
    assert [len(level) for level in stage.encoders] == [1, 0, 3]
    assert [len(level) for level in stage.decoders] == [2, 1, 0]
    check_stage(stage)


def test_every_level_of_the_unet_can_have_a_block_of_its_own():
    heads = [{"name": "mdta", "num_heads": number} for number in (1, 2, 4)]
    stage = UNetStage((4, 4, 8), heads, num_blocks=1)
    assert [[len(block.scale) for block in level] for level in stage.encoders] == [[1], [2], [4]]
    assert [[len(block.scale) for block in level] for level in stage.decoders] == [[1], [2], [4]]
    assert [len(block.scale) for block in stage.skips] == [1, 2]
    check_stage(stage)
    assert stage.description["block"] == heads
    with pytest.raises(ConfigError, match="block is a list of 2 parts, but there are 3 levels; give one for each, finest first"):
        UNetStage((4, 4, 8), ["naf", "cab"])


def test_one_side_of_the_unet_alone_can_be_counted():
    stage = UNetStage((4, 6), num_blocks=1, decoder_blocks=(3, 0))
    assert [len(level) for level in stage.encoders] == [1, 1]
    assert [len(level) for level in stage.decoders] == [3, 0]


def test_unet_takes_other_resizing_and_plain_skips():
    stage = UNetStage((4, 6), num_blocks=1, skip=nn.Identity, downsample=StridedConv, upsample=PixelShuffle, guided=True)
    assert isinstance(stage.downs[0], StridedConv)
    assert isinstance(stage.ups[0], PixelShuffle)
    assert isinstance(stage.skips[0], nn.Identity)
    check_stage(stage)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"encoder_blocks": (1, 1)}, r"encoder_blocks must be 3 numbers, one for each level.*; got \(1, 1\)"),
        ({"decoder_blocks": (1, -1, 1)}, r"decoder_blocks must be 3 numbers, .* none of them negative; got \(1, -1, 1\)"),
        ({"num_blocks": -1}, r"none of them negative; got \(-1, -1, -1\)"),
    ],
)
def test_numbers_of_blocks_that_do_not_fit_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        UNetStage((4, 6, 8), **arguments)
