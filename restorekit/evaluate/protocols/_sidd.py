"""SIDD: photographs by phones, denoised."""

from functools import partial
from pathlib import Path

import numpy as np

from restorekit.errors import DataError
from restorekit.evaluate._mat import read_array
from restorekit.evaluate.protocols._measures import VOLUME, measure_volume
from restorekit.evaluate.protocols._papers import CYCLEISP, HINET, MAXIM, MIRNET, MPRNET, NAFNET
from restorekit.evaluate.protocols._protocol import Example, Protocol, Published, register_protocol
from restorekit.images import Array, Pixels


@register_protocol("sidd-val")
def sidd() -> Protocol:
    """Return the protocol for the validation blocks of SIDD."""
    return Protocol(
        "sidd-val",
        f"results not rounded to 8 bits. {VOLUME}",
        _sidd,
        measure_volume,
        {"SIDD": 1280},
        {
            "SIDD": (
                Published("CycleISP", 39.52, 0.957, CYCLEISP),
                Published("MIRNet", 39.72, 0.959, MIRNET),
                Published("MPRNet", 39.71, 0.958, MPRNET),
                Published("HINet", 39.99, 0.958, HINET),
                Published("MAXIM-3S", 39.96, 0.960, MAXIM),
                Published("NAFNet width 32", 39.97, None, NAFNET),
                Published("NAFNet width 64", 40.30, None, NAFNET),
            )
        },
        quantised=False,
    )


def _sidd(root: Path) -> dict[str, list[Example]]:
    kinds = ("ValidationNoisyBlocksSrgb", "ValidationGtBlocksSrgb")
    noisy, clean = (read_array(root / f"{kind}.mat", kind) for kind in kinds)
    if noisy.shape != clean.shape or noisy.ndim != 5 or noisy.dtype != np.uint8 or clean.dtype != np.uint8:
        raise DataError(
            f"{root}: the blocks must be uint8 arrays of one shape, images x blocks x H x W x 3 (40 x 32 x 256 x 256 x 3 as "
            f"published); got {noisy.dtype} {noisy.shape} and {clean.dtype} {clean.shape}"
        )
    places = list(np.ndindex(*noisy.shape[:2]))
    return {"SIDD": [Example(f"{i + 1:02}_{j + 1:02}", partial(_block, noisy, clean, (i, j))) for i, j in places]}


def _block(noisy: Array, clean: Array, place: tuple[int, int]) -> tuple[Pixels, Pixels]:
    return np.ascontiguousarray(noisy[place]), np.ascontiguousarray(clean[place])
