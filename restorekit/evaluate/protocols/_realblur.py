"""RealBlur: blurred photographs of a shaking camera, raw (R) or as JPEG (J), deblurred."""

from restorekit.data import realblur
from restorekit.evaluate.protocols._measures import ALIGNED, measure_aligned
from restorekit.evaluate.protocols._papers import MPRNET
from restorekit.evaluate.protocols._protocol import Protocol, Published, examples_of, register_protocol


@register_protocol("realblur-r")
def realblur_r() -> Protocol:
    """Return the protocol of RealBlur-R."""
    return Protocol(
        "realblur-r",
        ALIGNED,
        lambda root: {"RealBlur-R": examples_of(realblur(root, "R"))},
        measure_aligned,
        {"RealBlur-R": 980},
        {"RealBlur-R": (Published("MPRNet, trained on RealBlur-R", 39.31, 0.972, MPRNET),)},
    )


@register_protocol("realblur-j")
def realblur_j() -> Protocol:
    """Return the protocol of RealBlur-J."""
    return Protocol(
        "realblur-j",
        ALIGNED,
        lambda root: {"RealBlur-J": examples_of(realblur(root, "J"))},
        measure_aligned,
        {"RealBlur-J": 980},
        {
            "RealBlur-J": (
                Published("MPRNet, trained on RealBlur-J", 31.76, 0.922, MPRNET),
                Published("MPRNet, trained on GoPro", 28.70, 0.873, MPRNET),
            )
        },
    )
