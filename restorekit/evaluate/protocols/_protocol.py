"""The definition of a protocol, and the registry of protocols."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from restorekit.data import PairPaths, read_pair
from restorekit.images import Array, Pixels
from restorekit.parts import Registry, did_you_mean

Measure = Callable[[Array, Array], dict[str, float]]
"""Function of the restored image and its target, both 8-bit or both float in [0, 1], H x W x 3."""

DND = "dnd"
MEAN = "mean"
NUMBER = r"(\d+(?:\.\d+)?)"


class Example(NamedTuple):
    """An image to restore, with its target.

    Attributes:
        name: name of the image in its set.
        read: returns the degraded image and the target, 8-bit RGB.
        read_scaled: the same for a target that is several times as high and wide as the image; takes this factor. None if there is
            no such target.
    """

    name: str
    read: Callable[[], tuple[Pixels, Pixels]]
    read_scaled: Callable[[int], tuple[Pixels, Pixels]] | None = None


class Published(NamedTuple):
    """Figures that a paper reports for a method on a data set.

    Attributes:
        method: name of the method.
        psnr: PSNR in dB.
        ssim: SSIM by the protocol of the data set, or None if it is not reported.
        source: the paper.
    """

    method: str
    psnr: float
    ssim: float | None
    source: str


@dataclass(frozen=True)
class Protocol:
    """How a data set is measured.

    Attributes:
        name: name for ``--protocol``.
        definition: the protocol in words; it is written next to every result.
        find: returns the examples of a folder, by set.
        measure: PSNR and SSIM of one restored image.
        counts: how many images the published sets have; only complete sets are compared with published figures.
        published: figures of papers by set, and by ``mean`` for the mean of the sets; results are shown next to them.
        quantised: whether results are rounded to 8 bits, as in a PNG file, before they are measured.
    """

    name: str
    definition: str
    find: Callable[[Path], Mapping[str, Sequence[Example]]]
    measure: Measure
    counts: Mapping[str, int] = field(default_factory=dict)
    published: Mapping[str, Sequence[Published]] = field(default_factory=dict)
    quantised: bool = True


def examples_of(pairs: Sequence[PairPaths]) -> list[Example]:
    """Return pairs of files as examples."""
    return [Example(pair.name, partial(read_pair, pair), partial(read_pair, pair)) for pair in pairs]


Make = TypeVar("Make", bound=Callable[..., Protocol])

_protocols: Registry[Callable[..., Protocol]] = Registry("protocol", "restorekit.evaluate.protocols")


def register_protocol(name: str) -> Callable[[Make], Make]:
    """Return a decorator that registers a protocol: a function that returns a :class:`Protocol`.

    Args:
        name: unique among the protocols. ``gaussian-<sigma>`` means all names with a number in place of ``<sigma>``; the function
            takes this number as its argument.

    Raises:
        ValueError: if the name is taken.
    """
    return _protocols.register(name)


def list_protocols() -> list[str]:
    """Return the names of all registered protocols."""
    return list(_protocols)


def find_protocol(name: str) -> Protocol:
    """Return the protocol with a name: one of :func:`list_protocols`, with a number in place of the angle brackets.

    Raises:
        ValueError: if there is no such protocol; the message suggests the nearest names.

    Example:
        >>> find_protocol("gaussian-25").name
        'gaussian-25'
    """
    if name == DND:
        raise ValueError("only the server of DND can measure it; write_dnd_submission writes a submission for it")
    for known in _protocols:
        pattern = NUMBER.join(map(re.escape, re.split(r"<\w+>", known)))
        if match := re.fullmatch(pattern, name):
            return _protocols.get(known)(*map(float, match.groups()))
    raise ValueError(f"unknown protocol {name!r}{did_you_mean(name, [*_protocols, DND])}")
