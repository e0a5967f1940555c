"""The gallery of variants in docs/ablations: each is a short declaration that does all that a network of this library does."""

import json
import runpy
import tomllib

import pytest
import torch
import torch.nn.functional as F
from torch.export import Dim, export

import restorekit
from _helpers import DOCS
from restorekit.checkpoints import load_weights, save_weights
from restorekit.testing import check_model

VARIANTS = sorted((DOCS / "ablations").glob("*.toml"))
every_variant = pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in VARIANTS])


LEVELS = 2


def small(path):
    """Return a variant that is like the one in a file, with a twelfth of the channels, and few levels and blocks."""
    config = tomllib.loads(path.read_text())
    for stage in [*config["stages"], *config.get("shared", {}).values()]:
        if isinstance(stage, str):
            continue
        for key in {"widths", "decoder_widths", "encoder_blocks", "decoder_blocks"} & stage.keys():
            stage[key] = stage[key][:LEVELS]
        for key in {"widths", "decoder_widths"} & stage.keys():
            stage[key] = [max(width // 12, 4) for width in stage[key]]  # of which channel attention leaves a fourth
        if isinstance(stage.get("block"), list):
            stage["block"] = stage["block"][:LEVELS]
        if stage["name"] == "orsnet":
            stage |= {"width": stage["width"] // 12, "num_orbs": LEVELS}
        if stage["name"] == "hinet":
            stage["norm_levels"] = [0, 0]
        elif stage["name"] == "maxim":
            stage |= {"num_groups": 1, "num_bottleneck_blocks": 1, "block_size": 2, "grid_size": 2, "coarse_block_size": 2}
        else:
            stage["num_blocks"] = 1
        if stage["name"] == "timm_unet":
            stage |= {"backbone": "test_resnet", "num_levels": LEVELS - 1}  # below one at full resolution
    if isinstance(config.get("stem"), list):
        config["stem"] = config["stem"][:LEVELS]
    if config.get("join") == "cross_gating":
        config["join"] = {"name": "cross_gating", "block_size": 2, "grid_size": 2}
    return config


def test_there_are_all_rows_of_the_paper_and_more():
    paper = [path for path in VARIANTS if "Published:" in path.read_text()]
    assert len(paper) == 9
    assert len(VARIANTS) >= len(paper) + 20
    assert max(len(path.read_text().splitlines()) for path in VARIANTS) <= 20


def test_the_last_row_of_the_paper_is_mprnet():
    with torch.device("meta"):
        row, mprnet = restorekit.compose(VARIANTS[8]), restorekit.create_model("mprnet_deblur")
    assert {key: x.shape for key, x in row.state_dict().items()} == {key: x.shape for key, x in mprnet.state_dict().items()}
    assert row.grids == mprnet.grids


@every_variant
@pytest.mark.usefixtures("unchecked_annotations")
def test_variant(path, tmp_path):
    """It runs, and comes back from its files."""
    torch.manual_seed(0)
    model = restorekit.compose(small(path)).eval()
    (tmp_path / "network.json").write_text(json.dumps(model.config))
    save_weights(model, tmp_path / "network.safetensors")
    other = load_weights(restorekit.compose(tmp_path / "network.json"), tmp_path / "network.safetensors").eval()
    image = torch.rand(1, model.image_channels, 2 * model.size_multiple, model.size_multiple)
    assert torch.equal(other(image), model(image))


MIXTURES = ["40-prenet-maxim", "41-mimo-naf", "42-mimo-sam", "43-restormer-orsnet"]


@pytest.mark.parametrize("name", MIXTURES)
def test_a_mixture_of_papers_learns(name):
    """Some steps reduce the loss of all images that it restores."""
    torch.manual_seed(0)
    model = restorekit.compose(small(DOCS / "ablations" / f"{name}.toml"))
    optimiser = torch.optim.AdamW(model.parameters(), lr=5e-3)
    target = torch.rand(2, 3, 4, 4).repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)
    image = (target + 0.2 * torch.randn_like(target)).clamp(0, 1)
    losses = []
    for _ in range(20):
        outputs = model.forward_stages(image)
        targets = [F.interpolate(target, restored.shape[-2:]) for restored in outputs]
        loss = torch.stack([(restored - wanted).abs().mean() for restored, wanted in zip(outputs, targets, strict=True)])
        optimiser.zero_grad()
        loss.sum().backward()
        optimiser.step()
        losses.append(loss.detach())
    assert (losses[-1] < losses[0]).all()
    assert losses[-1].sum() < 0.9 * losses[0].sum()


@pytest.mark.nightly
@every_variant
@pytest.mark.usefixtures("unchecked_annotations")
def test_variant_passes_check_model(path):
    """It also runs backwards, and mixes no samples; every run checks this of its parts."""
    torch.manual_seed(0)
    check_model(restorekit.compose(small(path)))


@pytest.mark.nightly
@every_variant
@pytest.mark.usefixtures("unchecked_annotations")
def test_variant_exports_with_dynamic_sizes(path):
    """The exported program, traced at one size and batch, agrees with the network at another."""
    torch.manual_seed(0)
    model = restorekit.compose(small(path)).eval()
    multiple = model.size_multiple
    n, height, width = Dim("n", min=1, max=64), Dim("height", min=2, max=64), Dim("width", min=2, max=64)
    dynamic = {"image": {0: n, 2: multiple * height, 3: multiple * width}}
    traced = torch.rand(2, model.image_channels, 2 * multiple, 3 * multiple)
    program = export(model, (traced,), dynamic_shapes=dynamic).module()
    other = torch.rand(3, model.image_channels, 4 * multiple, 2 * multiple)
    torch.testing.assert_close(program(other), model(other), rtol=1e-5, atol=1e-5)


TODO = "run: python docs/ablations.py"


@pytest.fixture(scope="module")
def page():
    """The text of the page, and the rows that it must have."""
    return (DOCS / "ablations.md").read_text(), runpy.run_path(str(DOCS / "ablations.py"))["rows"]()


def test_the_page_is_current(page):
    text, rows = page
    assert all(row.section() in text for row in rows), TODO
    assert text.count("\n###") == text.count("\n| [") == len(rows), TODO
    assert rows[0].cost() in text, TODO


@pytest.mark.nightly
def test_all_costs_on_the_page_are_current(page):
    text, rows = page
    assert all(row.cost() in text for row in rows), TODO
