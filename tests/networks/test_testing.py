"""The public checks find what they are there to find."""

from contextlib import nullcontext

import pytest
import torch
from torch import nn

from restorekit.blocks import ChannelAttentionBlock
from restorekit.checkpoints import Originals, originals
from restorekit.network import RestorationNetwork
from restorekit.stages import Level, MultiStage, Stage, StageSpec, UNetStage
from restorekit.testing import check_block, check_model, check_stage


class Block(nn.Module):
    """A block made of a convolution and a function of its output."""

    def __init__(self, function):
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 1)
        self.function = function

    def forward(self, x):
        return self.function(self, x)


FAULTY_BLOCKS = {
    "shape": (lambda self, x: self.conv(x)[..., 1:], r"shape \(2, 8, 8, 11\); a block of width 8 must give \(2, 8, 8, 12\)"),
    "two outputs": (lambda self, x: (self.conv(x), x), "output is a tuple; a block must return one tensor"),
    "dtype": (lambda self, x: self.conv(x).double(), "output is torch.float64; it must have the dtype .*torch.float32"),
    "not finite": (lambda self, x: self.conv(x).log(), "output has NaN or infinite values"),
    "samples": (lambda self, x: self.conv(x) - x.mean(), "first sample of output changes with the second sample"),
    "in place": (lambda self, x: self.conv(x.mul_(2)), "modifies its input; work on a copy"),
    "unused parameter": (lambda self, x: x + 1, r"no gradient reaches parameter conv\.weight; use it, or remove it"),
    "unused input": (lambda self, x: self.conv(torch.ones_like(x)), "no gradient reaches its input"),
    "detached": (lambda self, x: self.conv(x).detach(), "no output depends on inputs or parameters"),
    "gradient": (lambda self, x: (self.conv(x) * 0).sqrt(), r"the gradient of its input is NaN or infinite"),
}


@pytest.mark.parametrize("fault", FAULTY_BLOCKS)
def test_check_block_finds(fault):
    function, words = FAULTY_BLOCKS[fault]
    with pytest.raises(AssertionError, match=f"Block: .*{words}"):
        check_block(Block(function), width=8)


def test_check_block_leaves_the_block_as_it_was():
    block = nn.Sequential(ChannelAttentionBlock(8), nn.Dropout2d(0.5), nn.InstanceNorm2d(8, track_running_stats=True)).train()
    block[0].eval()
    state = {name: tensor.clone() for name, tensor in block.state_dict().items()}
    random = torch.get_rng_state()
    check_block(block, width=8)
    assert [block.training, block[0].training, block[1].training] == [True, False, True]
    assert all(p.grad is None for p in block.parameters())
    assert all(torch.equal(tensor, state[name]) for name, tensor in block.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)


def test_check_block_takes_blocks_without_parameters():
    check_block(nn.ReLU(), width=4)


FINE = (Level(4),)


class OneLevel(Stage):
    """A stage of one level that declares and does what it is told."""

    def __init__(self, *, guidance=(), encoder=FINE, decoder=FINE, encode=None, decode=None):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 1)
        self.spec = StageSpec((Level(4),), encoder, decoder, guidance)
        self.encoding = encode or (lambda x, guidance: (x,))
        self.decoding = decode or (lambda encoded: encoded)

    def encode(self, inputs, guidance):
        return self.encoding(self.conv(inputs[0]), guidance)

    def decode(self, encoded):
        return self.decoding(encoded)


FAULTY_STAGES = {
    "empty": ({"decoder": ()}, "spec.decoder is empty; at least one level is needed"),
    "order": ({"encoder": (Level(4, 2), Level(4, 1))}, r"spec.encoder declares strides \[2, 1\]; they must be finest first"),
    "levels": ({"encoder": (Level(4), Level(4))}, "encode returned 1 levels; spec.encoder declares 2"),
    "width": (
        {"encoder": (Level(6),)},
        r"encode returned \(2, 4, 2, 3\) at level 0; spec.encoder declares 6 channels at stride 1, which is \(2, 6, 2, 3\)",
    ),
    "stride": ({"decoder": (Level(4, 2),)}, r"decode returned .*spec.decoder declares 4 channels at stride 2"),
    "list": ({"encode": lambda x, guidance: [x]}, "encode returned a list; it must be a tuple of tensors"),
    "guidance": ({"guidance": (Level(4),)}, "no gradient reaches its level 0 of guidance"),
    "in place": ({"decode": lambda encoded: (encoded[0].mul_(2),)}, "decode modifies level 0 of what encode returned"),
    "samples": ({"decode": lambda encoded: (encoded[0] - encoded[0].mean(),)}, "first sample of level 0 of decoder changes"),
    "grid": (
        {"decode": lambda encoded: (encoded[0][:, :, :2],)},
        r"decode on another grid returned \(1, 4, 2, 3\) at level 0; .* which is \(1, 4, 4, 3\)",
    ),
}


@pytest.mark.parametrize("fault", FAULTY_STAGES)
@pytest.mark.usefixtures("unchecked_annotations")
def test_check_stage_finds(fault):
    arguments, words = FAULTY_STAGES[fault]
    with pytest.raises(AssertionError, match=f"OneLevel: .*{words}"):
        check_stage(OneLevel(**arguments))


def test_check_stage_passes_a_true_declaration():
    check_stage(OneLevel())


def test_check_stage_refuses_a_size_that_the_strides_do_not_divide():
    with pytest.raises(AssertionError, match="cannot be tried with 6x8; height and width must be multiples of its stride 4"):
        check_stage(UNetStage((4, 4, 4)), size=(6, 8))


class Model(RestorationNetwork):
    """A convolution with faults on demand."""

    def __init__(self, *, stages=None, size_multiple=1, check=True):
        super().__init__()
        self.image_channels = 3
        self.size_multiple = size_multiple
        self.num_supervised = 1
        self.conv = nn.Conv2d(3, 3, 1)
        self.stages = stages or (lambda x: [x])
        self.check = check

    def forward_stages(self, image, *, stages=None, coarse=True):
        if self.check:
            self.check_image(image)
        return self.stages(self.conv(image))


TRUNK = pytest.raises(
    AssertionError, match=r"Model: the names of the authors' checkpoints lead to modules that do not exist: trunk$"
)
FAULTY_MODELS = {
    "none": ({"stages": lambda x: []}, "forward_stages returned no image"),
    "shape": ({"stages": lambda x: [x, x[:1]]}, r"output 1 of forward_stages has shape \(1, 3, 8, 9\)"),
    "count": ({"stages": lambda x: [x, x]}, "returns 2 images of full size; num_supervised is 1"),
    "multiple": ({"size_multiple": 0}, "size_multiple is 0; it must be at least 1"),
    "size": ({"size_multiple": 4, "check": False}, "declares size_multiple 4, but accepts an image of 7x12"),
    "samples": ({"stages": lambda x: [x - x.mean()]}, "first sample of output 0 changes"),
}


@pytest.mark.parametrize("fault", FAULTY_MODELS)
def test_check_model_finds(fault):
    arguments, words = FAULTY_MODELS[fault]
    with pytest.raises(AssertionError, match=f"Model: .*{words}"):
        check_model(Model(**arguments))


def test_check_model_passes_a_true_declaration():
    check_model(Model(size_multiple=4))


@pytest.mark.parametrize(("module", "expectation"), [("conv", nullcontext()), ("trunk", TRUNK)])
def test_check_model_looks_at_the_names_of_checkpoints(module, expectation, monkeypatch):
    monkeypatch.setattr(originals, "_entries", {"net": Originals(lambda: {"tail": "conv", "body": module})})
    model = Model()
    model.family = {"architecture": "net", "arguments": {}}
    with expectation:
        check_model(model)


def test_check_model_finds_stages_that_do_not_return_what_they_declare():
    """A tensor in place of a tuple, of which samples would be taken for levels, and other widths than declared."""
    faults = {
        "tensor": (lambda self, encoded: encoded[0], "decode returned a Tensor; it must be a tuple of tensors"),
        "width": (
            lambda self, encoded: (encoded[0][:, :2], *encoded[1:]),
            r"decode returned \(2, 2, 2, 4\) at level 0; .* 4 channels",
        ),
    }
    for decode, words in faults.values():
        faulty = type("Faulty", (UNetStage,), {"decode": decode})
        with pytest.raises(AssertionError, match=f"Faulty: {words}"):
            check_model(MultiStage([faulty((4, 6))]))


class TakesFirst(nn.Module):
    """Adds the first sample to the others, which the first cannot notice."""

    def forward(self, x):
        return x + torch.cat((torch.zeros_like(x[:1]), x[:1].expand_as(x[1:])))


@pytest.mark.parametrize(
    ("block", "words"),
    [
        (nn.Sequential(nn.Conv2d(4, 4, 1), TakesFirst()), "the second sample of output changes with the first sample of the batch"),
        (
            nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)),
            r"1 \(BatchNorm2d\) normalises by statistics of the batch in training",
        ),
    ],
)
def test_check_block_finds_samples_that_affect_each_other(block, words):
    with pytest.raises(AssertionError, match=words):
        check_block(block, width=4)
