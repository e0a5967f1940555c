"""HIDE: photographs of people in motion, deblurred."""

from restorekit.data import hide
from restorekit.evaluate.protocols._measures import VOLUME, measure_volume
from restorekit.evaluate.protocols._papers import DMPHN, HINET, MAXIM, MPRNET, TLC
from restorekit.evaluate.protocols._protocol import Protocol, Published, examples_of, register_protocol


@register_protocol("hide")
def hide_protocol() -> Protocol:
    """Return the protocol of HIDE."""
    return Protocol(
        "hide",
        VOLUME,
        lambda root: {"HIDE": examples_of(hide(root))},
        measure_volume,
        {"HIDE": 2025},
        {
            "HIDE": (
                Published("DMPHN", 29.09, 0.924, DMPHN),
                Published("MPRNet", 30.96, 0.939, MPRNET),
                Published("MPRNet, local pooling", 31.19, 0.942, TLC),
                Published("HINet", 30.33, 0.932, HINET),
                Published("MAXIM-3S", 32.83, 0.956, MAXIM),
            )
        },
    )
