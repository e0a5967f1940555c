"""White Gaussian noise, added to clean photographs."""

from functools import partial
from pathlib import Path

from restorekit.data import GaussianNoise, degrade, read_rgb
from restorekit.evaluate.protocols._measures import RGB, measure_rgb
from restorekit.evaluate.protocols._protocol import Example, Protocol, register_protocol
from restorekit.images import Pixels, find_images


@register_protocol("gaussian-<sigma>")
def gaussian(sigma: float) -> Protocol:
    """Return the protocol for a standard deviation in 8-bit values."""

    def find(root: Path) -> dict[str, list[Example]]:
        return {
            "photos": [
                Example(path.relative_to(root).with_suffix("").as_posix(), partial(_noisy, path, sigma, i))
                for i, path in enumerate(find_images(root))
            ]
        }

    return Protocol(
        f"gaussian-{sigma:g}",
        f"white Gaussian noise of sigma {sigma:g} (8-bit values; seed 0 and the place of the image in the sorted folder), clipped "
        f"and rounded to 8 bits before restoration. {RGB}",
        find,
        measure_rgb,
    )


def _noisy(path: Path, sigma: float, index: int) -> tuple[Pixels, Pixels]:
    clean = read_rgb(path)
    return degrade(clean, GaussianNoise(sigma), seed=0, index=index), clean
