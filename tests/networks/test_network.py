"""What a network says when it gets an image that it cannot take, and what it gives when it stops early."""

import pytest
import torch

from restorekit import MultiStage, create_model
from restorekit.stages import UNetStage


@pytest.fixture(scope="module")
def model():
    return create_model("mprnet", width=4, unet_step=0, ors_step=0, num_blocks=1)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (torch.rand(1, 1, 8, 8), r"takes images with 3 channels; got 1 \(shape \(1, 1, 8, 8\), read as N x C x H x W\)"),
        (torch.rand(1, 8, 8, 3), r"takes images with 3 channels; got 8"),
        (torch.rand(3, 8, 8), r"N x C x H x W; got 3 dimensions, shape \(3, 8, 8\); see unsqueeze"),
        (
            torch.zeros(1, 3, 8, 8, dtype=torch.uint8),
            r"floating point in \[0, 1\]; got torch.uint8; convert with image.float\(\) / 255",
        ),
        (torch.zeros(1, 3, 8, 8, dtype=torch.int64), "got torch.int64"),
        (torch.rand(0, 3, 8, 8), r"image is empty: shape \(0, 3, 8, 8\)"),
        (torch.rand(1, 3, 0, 8), r"image is empty: shape \(1, 3, 0, 8\)"),
        (torch.rand(1, 3, 30, 41), "got 30x41; height and width must be multiples of 8; pad to 32x48, or call restorekit.restore"),
        (torch.full((1, 3, 8, 8), 200.0), r"in \[0, 1\]; got values up to 200; divide 8-bit values by 255"),
        (torch.full((1, 3, 8, 8), -17.0), r"in \[0, 1\]; got values up to 17"),
    ],
)
@pytest.mark.usefixtures("unchecked_annotations")
def test_an_image_that_cannot_be_restored_is_refused(model, image, words):
    for run in (model, model.forward_stages):
        with pytest.raises(ValueError, match=words):
            run(image)


def test_values_a_little_out_of_range_are_taken(model):
    image = torch.randn(1, 3, 8, 8)  # noise that was not clipped
    assert model(image).shape == image.shape


def test_forward_is_the_last_stage(model):
    image = torch.rand(2, 3, 8, 16)
    outputs = model.forward_stages(image)
    assert len(outputs) == 3
    assert torch.equal(model(image), outputs[-1])
    assert not torch.equal(outputs[0], outputs[-1])


def test_outputs_are_not_clamped():
    """A residual on top of a white image passes 1: clamping is for those who save images, not for the loss."""
    torch.manual_seed(0)
    model = create_model("mprnet", width=8, unet_step=0, ors_step=0, num_blocks=1)
    restored = model(torch.ones(1, 3, 16, 16))
    assert restored.max() > 1


def test_fewer_stages_give_their_own_restored_image():
    model = create_model("mprnet", width=8, unet_step=4, ors_step=4, num_blocks=1)
    image = torch.rand(1, 3, 16, 24)
    with torch.no_grad():
        restored = model.forward_stages(image)
        for k in (1, 2, 3):
            assert torch.equal(model(image, stages=k), restored[k - 1])
            assert len(model.forward_stages(image, stages=k)) == k


@pytest.mark.parametrize("stages", [0, -1, 4])
def test_stages_that_are_not_there_are_refused_before_the_work(stages):
    model = create_model("mprnet", width=8, unet_step=4, ors_step=4, num_blocks=1)
    model.stems = None  # the first that would work
    with pytest.raises(ValueError, match=f"stages must be from 1 to 3, the supervised stages of this network; got {stages}"):
        model(torch.zeros(1, 3, 16, 24), stages=stages)


def test_only_supervised_stages_count():
    model = MultiStage([UNetStage((4, 6)), UNetStage((4, 6)), UNetStage((4, 6))], supervise="none")
    assert model.num_supervised == 1
    with pytest.raises(ValueError, match=r"stages must be from 1 to 1, .*; got 2"):
        model(torch.zeros(1, 3, 16, 24), stages=2)
