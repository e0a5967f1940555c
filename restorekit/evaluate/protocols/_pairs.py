"""Pairs of any kind, in two folders."""

from restorekit.data import folders
from restorekit.evaluate.protocols._measures import RGB, Y, measure_rgb, measure_y
from restorekit.evaluate.protocols._protocol import Protocol, examples_of, register_protocol


@register_protocol("pairs")
def pairs() -> Protocol:
    """Return the protocol of pairs in colour."""
    return Protocol("pairs", RGB, lambda root: {"pairs": examples_of(folders(root))}, measure_rgb)


@register_protocol("pairs-y")
def pairs_y() -> Protocol:
    """Return the protocol of pairs on the luma."""
    return Protocol("pairs-y", Y, lambda root: {"pairs": examples_of(folders(root))}, measure_y)
