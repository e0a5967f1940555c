"""Random networks, as strategies of hypothesis."""

import json
from collections.abc import Callable, Sequence
from typing import Any

BlockData = str | dict[str, Any]
Choose = Callable[..., Any]  # returns one of its arguments
# Lists of Any: checkers of annotations look at random items of others, and strategies must not be random themselves.

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
    resizing, supervision and all other connectors, in what they take and return, and in the parts that they share. Backbones of
    timm are left out, because they are slow to build.

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
    count = choose(*range(1, max_stages + 1))
    stages = _repeated(choose, blocks, count) if choose(False, False, True) else _different(choose, blocks, count)
    step = stages[0].pop("step", None)
    runs = [step] * count if step else stages
    guided = any(stage.get("guided") for stage in runs)
    config = {"stages": ["@step"] * count if step else stages} | _some(
        choose,
        grids=([[choose(1, 2, 3), choose(1, 2)] for _ in runs],),
        image_channels=(3, 1, 4),
        conditions=(["mask"], [{"name": "noise_level", "unit": 255}, {"name": "flow", "channels": 2}]),
        stem=("conv", {"name": "conv", "kernel_size": 1, "bias": True}, {"name": "conv_block", "block": choose(*blocks)}),
        join=("concat", "add", {"name": "concat", "kernel_size": 1, "bias": True}, "@join"),
        fuse=("csff", "concat", {"name": "csff", "kernel_size": 3, "bias": True}) if guided else ("csff", "none"),
    )
    config |= _restoring(choose, config.get("image_channels", 3), count)
    if guided and choose(False, True):
        guidable = [bool(stage.get("guided")) and _num_levels(stage, guidance=True) > 0 for stage in runs]
        config["guided_by"] = [[j for j in range(i) if guidable[i] and choose(True, True, False)] for i in range(count)]
    if choose(False, True):
        strides = range(1 if runs[-1]["name"] == "orsnet" else len(runs[-1]["widths"]))
        config["supervised_at"] = [[1]] * (count - 1) + [[1, *(2**i for i in strides[1:] if choose(False, True))]]
    text = json.dumps(config)
    config = json.loads(text)  # a copy, which shares nothing with the options
    text += json.dumps(step)
    shared = {"act": choose("prelu", "gelu"), "join": choose("concat", "add"), "step": step}
    shared = {name: part for name, part in shared.items() if f'"@{name}"' in text}
    return config | ({"shared": json.loads(json.dumps(shared))} if shared else {})


def _different(choose: Choose, blocks: Sequence[Any], count: int) -> list[Any]:
    """Draw stages, each of which any earlier one can guide."""
    stages: list[dict[str, Any]] = []
    for _ in range(count):
        stage = _stage(choose, blocks)
        if stages and _num_levels(stage, guidance=True) <= min(map(_num_levels, stages)):
            stage |= _some(choose, guided=(False, True), guide=("add", "gate"))
        stages.append(stage)
    return stages


def _repeated(choose: Choose, blocks: Sequence[Any], count: int) -> list[Any]:
    """Draw one stage that runs several times; guidance that there is none of yet is zero."""
    step = _stage(choose, blocks)
    return [{"step": step | (_some(choose, guided=(False, True), guide=("add", "gate")) if count > 1 else {})}]


def _restoring(choose: Choose, image_channels: int, count: int) -> dict[str, Any]:
    """Draw what a network returns, and connectors that restore it."""
    channels, scale = choose(image_channels, image_channels, 1, 3), choose(1, 1, 2, 3)
    of = {"of": [choose(*range(image_channels)) for _ in range(channels)]}
    enlarging = {"name": "pixel_shuffle", "scale": scale}
    fitting: tuple[Any, ...]
    if scale > 1:
        heads: tuple[Any, ...] = (enlarging, enlarging | {"kernel_size": 1, "bias": True})
        fitting = ("none", {"name": "head", "head": enlarging})
    elif channels != image_channels:
        heads = ("direct", {"name": "residual_head"} | of)
        fitting = ("none", {"name": "sam"} | of, {"name": "plain", "of": []}, {"name": "head"})
    else:
        heads = ("residual_head", {"name": "residual_head", "kernel_size": 5, "bias": True}, "direct")
        fitting = ("sam", "plain", "none", {"name": "sam", "kernel_size": 3, "bias": True})
    like_the_image = (channels, scale) == (image_channels, 1)
    found = {} if like_the_image else {"output": {"channels": channels, "scale": scale}}
    for role, options in {"head": heads, "supervise": (*fitting, [choose(*fitting) for _ in range(count - 1)])}.items():
        if not like_the_image or choose(False, True):
            found[role] = choose(*options)
    return found


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
    return (
        {"name": name, "widths": widths, "block": choose(own[0], own), "num_blocks": 1}
        | _some(
            choose,
            encoder_blocks=([choose(1, 2) for _ in levels],),
            decoder_blocks=([choose(1, 0) for _ in levels],),
            skip=("identity", *blocks),
            downsample=("bilinear", "strided_conv", {"name": "strided_conv", "kernel_size": 2, "bias": True}),
            upsample=("bilinear", "transposed_conv", "pixel_shuffle", {"name": "pixel_shuffle", "kernel_size": 3, "bias": True}),
            shortcut=(None, {"name": "conv", "kernel_size": 1}),
        )
        | (_concatenating(choose, widths) if choose(False, True) else {})
    )


def _concatenating(choose: Choose, widths: Sequence[Any]) -> dict[str, Any]:
    """Draw how a U-Net concatenates skips."""
    merge = choose("concat", {"name": "concat", "bias": True, "act": "relu"})
    return {"merge": merge, "decoder_widths": [choose(width, 2 * width) for width in widths[:-1]] + [widths[-1]]}


def _some(choose: Choose, **options: Sequence[Any]) -> dict[str, Any]:
    """Draw arguments, each from its options or with its default."""
    return {name: choose(*values) for name, values in options.items() if choose(False, True)}


def _num_levels(stage: dict[str, Any], *, guidance: bool = False) -> int:
    """Return how many levels a stage's encoder has, or how many levels of guidance it takes."""
    levels = stage["num_orbs"] if stage["name"] == "orsnet" else len(stage["widths"])
    return levels - (guidance and stage["name"] == "hinet")
