"""The stage around a backbone of timm: true declarations, every place in a network, clear refusals."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from restorekit.checkpoints import load_weights, save_weights
from restorekit.stages import CrossStageFeatureFusion, Level, MultiStage, ORSNetStage, Stage, TimmUNetStage, UNetStage
from restorekit.testing import check_model, check_stage


def tiny(backbone: str, width: int = 8, **kwargs: object) -> TimmUNetStage:
    torch.manual_seed(0)
    return TimmUNetStage(backbone, width, **{"num_blocks": 1, **kwargs})


@pytest.mark.parametrize(
    ("backbone", "args", "strides"),
    [
        ("test_resnet", {}, [1, 2, 4, 8, 16, 32]),
        ("mobilenetv3_small_050", {}, [1, 2, 4, 8, 16, 32]),
        ("convnext_atto", {}, [1, 4, 8, 16, 32]),  # skips an octave
        ("test_mambaout", {}, [1, 4, 8, 16, 32]),  # computes with channels last
        ("test_resnet", {"output_stride": 8}, [1, 2, 4, 8, 8, 8]),  # dilated
        ("test_vit", {}, [1, 16, 16, 16]),
    ],
)
def test_declarations_are_true(backbone: str, args: dict[str, object], strides: list[int], device: torch.device) -> None:
    stage = tiny(backbone, guided=True, backbone_args=args).to(device)
    assert [level.stride for level in stage.spec.encoder] == strides
    assert stage.spec.guidance == stage.spec.encoder
    check_stage(stage)


def test_levels_and_widths_are_chosen() -> None:
    stage = tiny("mobilenetv3_small_050", 12, num_levels=2, decoder_widths=(12, 16, 20))
    assert stage.spec.encoder == (Level(12, 1), Level(16, 2), Level(8, 4))
    assert stage.spec.decoder == (Level(12, 1), Level(16, 2), Level(20, 4))
    check_stage(stage)  # finds parameters of levels that are not taken
    assert not tiny("test_resnet", num_levels=1).spec.guidance


@pytest.mark.parametrize(
    "stages",
    [
        lambda: [tiny("test_convnext")],
        lambda: [tiny("test_convnext"), ORSNetStage(8, num_orbs=3, num_blocks=1, guided=True)],
        lambda: [UNetStage((6, 8, 10), num_blocks=1), tiny("test_efficientnet", num_levels=2, guided=True)],
        lambda: [
            UNetStage((6, 8, 10), num_blocks=1),
            tiny("test_efficientnet", num_levels=2, guided=True),
            UNetStage((6, 8, 10), num_blocks=1, guided=True),
        ],
        lambda: [tiny("test_convnext"), tiny("test_convnext", 12, guided=True)],
        lambda: [tiny("test_resnet", backbone_args={"output_stride": 8}), ORSNetStage(8, num_orbs=6, num_blocks=1, guided=True)],
    ],
    ids=["only", "first", "last", "middle", "twice", "dilated"],
)
def test_every_place_in_a_network(stages: Callable[[], list[Stage]], device: torch.device) -> None:
    built: list[Stage] = stages()
    model = MultiStage(built, grids=[(2, 1)] * (len(built) - 1) + [(1, 1)]).to(device)
    strides = [level.stride for stage in built for level in stage.spec.encoder]
    assert model.size_multiple == (2 if len(built) > 1 else 1) * max(strides)
    check_model(model)


def test_fusion_climbs_over_skipped_octaves() -> None:
    source = tiny("test_convnext", num_levels=2).spec
    assert [level.stride for level in source.encoder] == [1, 4, 8]
    fusion = CrossStageFeatureFusion(source, [Level(5, 1)] * 3)
    encoded = tuple(torch.randn(1, level.width, 16 // level.stride, 24 // level.stride) for level in source.encoder)
    decoded = tuple(torch.randn(1, level.width, 16 // level.stride, 24 // level.stride) for level in source.decoder)
    assert [x.shape for x in fusion(encoded, decoded)] == [(1, 5, 16, 24)] * 3


def test_frozen_batch_norm_keeps_samples_apart_in_training() -> None:
    from timm.layers import freeze_batch_norm_2d

    stage = tiny("mobilenetv3_small_050", num_levels=3)
    x = torch.randn(2, 8, 32, 32)

    def coarsest(x: torch.Tensor) -> torch.Tensor:
        return stage.encode((x,), ())[-1]

    assert stage.training
    assert not torch.allclose(coarsest(x)[:1], coarsest(x[:1]), atol=1e-3)
    stage.backbone = freeze_batch_norm_2d(stage.backbone)
    torch.testing.assert_close(coarsest(x)[:1], coarsest(x[:1]))


def test_running_statistics_are_untouched_by_construction_and_survive_a_half_precision_file(tmp_path: Path) -> None:
    model = MultiStage([tiny("test_resnet", num_levels=2)])
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    assert norms
    assert all(norm.training and norm.num_batches_tracked == 0 and not norm.running_mean.any() for norm in norms)
    for norm in norms:
        norm.num_batches_tracked.fill_(100_001)  # float16 ends at 65504
    save_weights(model, tmp_path / "half.safetensors", dtype=torch.float16)
    other = load_weights(MultiStage([tiny("test_resnet", num_levels=2)]), tmp_path / "half.safetensors")
    assert {int(x) for name, x in other.state_dict().items() if name.endswith("num_batches_tracked")} == {100_001}


@pytest.mark.parametrize(
    ("backbone", "kwargs", "words"),
    [
        ("mobilenetv3_smal_050", {}, "did you mean 'mobilenetv3_small_050'"),
        ("qqqqqq", {}, r"known: .*, \.\.\. \(\d+ in all\)"),
        ("resnet18.nonsense", {}, r"Invalid pretrained tag \(nonsense\)"),
        ("crossvit_9_240", {}, "strides 12, 17; an encoder's must be powers of two"),
        ("hardcorenas_a", {}, "timm cannot use 'hardcorenas_a' as an encoder"),
        ("mobilenetv3_small_050", {"num_levels": 9}, "out of range"),
        ("test_resnet", {"num_levels": 0}, "num_levels must be at least 1; got 0"),
        ("test_resnet", {"backbone_args": {"drop_pth": 1}}, "unexpected keyword argument 'drop_pth'"),
        ("test_resnet", {"decoder_widths": (8, 8)}, "must name 6 widths, for strides 1, 2, 4, 8, 16, 32"),
        ("levit_128s", {}, "images of 128x192 pixels fail .* takes images of any size"),
        ("test_vit2", {"backbone_args": {"dynamic_img_size": False}}, "images of 32x48 pixels fail"),
    ],
)
def test_backbones_that_do_not_fit_are_refused(backbone: str, kwargs: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        tiny(backbone, **kwargs)
