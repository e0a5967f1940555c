"""Random networks, as strategies of hypothesis."""

import json
from collections.abc import Callable, Sequence
from typing import Any

BlockData = str | dict[str, Any]
Choose = Callable[..., Any]  # returns one of its arguments

WIDTHS = (4, 6, 8)
BLOCKS: tuple[BlockData, ...] = (
    "cab",
    "naf",
    "hin",
    {"name": "restormer", "num_heads": 2},
    {"name": "rdb", "growth": 4, "num_convs": 2},
    {"name": "cab", "act": "@act", "reduction": 2},
    {"name": "cab", "attention": "eca", "act": {"name": "leaky_relu", "negative_slope": 0.2}, "kernel_size": 1, "bias": True},
    {"name": "orb", "block": {"name": "cab", "act": "@act"}, "num_blocks": 1},
)


def compositions(*, blocks: Sequence[BlockData] = BLOCKS, max_stages: int = 5) -> Any:
    """Return a hypothesis strategy that draws whole networks as data, for :func:`restorekit.compose`.

    All networks are valid. They are small, and differ in the number and kinds of stages, widths, blocks, grids, guidance,
    resizing, supervision, and all other connectors. Backbones of timm are left out, because they are slow to build.

    Args:
        blocks: names of blocks, or mappings of name and arguments, for widths 4, 6 and 8.
        max_stages: largest number of stages.

    Returns:
        A ``hypothesis.strategies.SearchStrategy`` of mappings that may be modified.

    Raises:
        ImportError: if hypothesis is not installed.

    Example:
        >>> from hypothesis import given
        >>> from restorekit import compose
        >>> from restorekit.testing._checks import check_model
        >>> @given(config=compositions(blocks=["naf"], max_stages=2))
        ... def test_my_block_in_any_network(config):
        ...     check_model(compose(config))
    """
    try:
        from hypothesis import strategies as st
    except ImportError as error:
        raise ImportError("restorekit.testing.compositions needs hypothesis; pip install hypothesis") from error

    @st.composite
    def networks(draw: Callable[[Any], Any]) -> dict[str, Any]:
        return _network(lambda *options: draw(st.sampled_from(options)), blocks, max_stages)

    return networks()


def _network(choose: Choose, blocks: Sequence[Any], max_stages: int) -> dict[str, Any]:
    stages: list[dict[str, Any]] = []
    for _ in range(choose(*range(1, max_stages + 1))):
        stage = _stage(choose, blocks)
        if stages and _num_levels(stage, guidance=True) <= _num_levels(stages[-1]):
            stage |= _some(choose, guided=(False, True), guide=("add", "gate"))
        stages.append(stage)
    guided = any(stage.get("guided") for stage in stages)
    config = {"stages": stages} | _some(
        choose,
        grids=([[choose(1, 2, 3), choose(1, 2)] for _ in stages],),
        image_channels=(3, 1, 4),
        stem=("conv", {"name": "conv", "kernel_size": 1, "bias": True}, {"name": "conv_block", "block": choose(*blocks)}),
        join=("concat", "add", {"name": "concat", "kernel_size": 1, "bias": True}),
        supervise=("sam", "plain", "none", {"name": "sam", "kernel_size": 3, "bias": True}),
        fuse=("csff", "concat", {"name": "csff", "kernel_size": 3, "bias": True}) if guided else ("csff", "none"),
        head=("residual_head", {"name": "residual_head", "kernel_size": 5, "bias": True}),
    )
    text = json.dumps(config)
    config = json.loads(text)  # a copy, which shares nothing with the options
    return config | ({"shared": {"act": choose("prelu", "gelu")}} if '"@act"' in text else {})


def _stage(choose: Choose, blocks: Sequence[Any]) -> dict[str, Any]:
    """Draw a stage, without guidance."""
    name, levels = choose("unet", "orsnet", "hinet"), range(choose(1, 2, 3))
    widths = [choose(*WIDTHS) for _ in levels]
    if name == "orsnet":
        arguments = {"width": widths[0], "num_orbs": len(levels), "num_blocks": choose(1, 2), "block": choose(*blocks)}
        return {"name": name} | arguments | _some(choose, kernel_size=(3, 1))
    if name == "hinet":
        return {"name": name, "widths": widths, "norm_levels": choose([], [0, 0], [0, 4])}
    own = [choose(*blocks) for _ in levels]  # one block for each level, or one for all
    return {"name": name, "widths": widths, "block": choose(own[0], own), "num_blocks": 1} | _some(
        choose,
        encoder_blocks=([choose(1, 2) for _ in levels],),
        decoder_blocks=([choose(1, 0) for _ in levels],),
        skip=("identity", *blocks),
        downsample=("bilinear", "strided_conv", {"name": "strided_conv", "kernel_size": 2, "bias": True}),
        upsample=("bilinear", "transposed_conv", "pixel_shuffle"),
    )


def _some(choose: Choose, **options: Sequence[Any]) -> dict[str, Any]:
    """Draw arguments, each from its options or with its default."""
    return {name: choose(*values) for name, values in options.items() if choose(False, True)}


def _num_levels(stage: dict[str, Any], *, guidance: bool = False) -> int:
    """Return how many levels a stage's encoder has, or how many levels of guidance it takes."""
    levels = stage["num_orbs"] if stage["name"] == "orsnet" else len(stage["widths"])
    return levels - (guidance and stage["name"] == "hinet")
