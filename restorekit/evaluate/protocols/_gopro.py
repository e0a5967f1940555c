"""GoPro: photographs with moving cameras and objects, deblurred."""

from restorekit.data import gopro
from restorekit.evaluate.protocols._measures import VOLUME, measure_volume
from restorekit.evaluate.protocols._papers import DMPHN, HINET, MAXIM, MPRNET, NAFNET, TLC
from restorekit.evaluate.protocols._protocol import Protocol, Published, examples_of, register_protocol


@register_protocol("gopro")
def gopro_protocol() -> Protocol:
    """Return the protocol of GoPro."""
    return Protocol(
        "gopro",
        VOLUME,
        lambda root: {"GoPro": examples_of(gopro(root, "test"))},
        measure_volume,
        {"GoPro": 1111},
        {
            "GoPro": (
                Published("DMPHN", 31.20, 0.940, DMPHN),
                Published("MPRNet", 32.66, 0.959, MPRNET),
                Published("MPRNet, local pooling", 33.31, 0.964, TLC),
                Published("HINet", 32.71, 0.959, HINET),
                Published("MAXIM-3S", 32.86, 0.961, MAXIM),
                Published("NAFNet width 32, local pooling", 32.87, None, NAFNET),
                Published("NAFNet width 64, local pooling", 33.71, None, NAFNET),
            )
        },
    )
