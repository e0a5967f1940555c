"""Synthetic rain: five sets, measured on the luma."""

from pathlib import Path

from restorekit.data import rain_test
from restorekit.evaluate.protocols._measures import Y, measure_y
from restorekit.evaluate.protocols._papers import HINET, MPRNET, MSPFN
from restorekit.evaluate.protocols._protocol import MEAN, Example, Protocol, Published, examples_of, register_protocol


@register_protocol("rain")
def rain() -> Protocol:
    """Return the protocol of the five sets."""
    return Protocol(
        "rain",
        f"{Y}; the mean of five sets is that of their means",
        _rain,
        measure_y,
        {"Test100": 100, "Rain100H": 100, "Rain100L": 100, "Test2800": 2800, "Test1200": 1200},
        {
            name: tuple(
                Published(method, psnr, ssim, source)
                for method, psnr, ssim, source in (
                    ("MSPFN", *mspfn, MSPFN),
                    ("MPRNet", *mprnet, MPRNET),
                    ("HINet", *hinet, HINET),
                )
            )
            for name, mspfn, mprnet, hinet in (
                ("Test100", (27.50, 0.876), (30.27, 0.897), (30.29, 0.906)),
                ("Rain100H", (28.66, 0.860), (30.41, 0.890), (30.65, 0.894)),
                ("Rain100L", (32.40, 0.933), (36.40, 0.965), (37.28, 0.970)),
                ("Test2800", (32.82, 0.930), (33.64, 0.938), (33.91, 0.941)),
                ("Test1200", (32.39, 0.916), (32.91, 0.916), (33.05, 0.919)),
                (MEAN, (30.75, 0.903), (32.73, 0.921), (33.03, 0.926)),
            )
        },
    )


def _rain(root: Path) -> dict[str, list[Example]]:
    return {name: examples_of(pairs) for name, pairs in rain_test(root).items()}
