"""Published figures, beside which results are shown."""

from collections.abc import Mapping
from typing import NamedTuple


class Published(NamedTuple):
    """What a paper reports of a method on a data set.

    Attributes:
        method: name of the method.
        psnr: in dB.
        ssim: by the protocol of the data set, or None if it is not reported.
        source: the paper.
    """

    method: str
    psnr: float
    ssim: float | None
    source: str


MSPFN = "Jiang et al., CVPR 2020"
DMPHN = "Zhang et al., CVPR 2019"
CYCLEISP = "Zamir et al., CVPR 2020"
MIRNET = "Zamir et al., ECCV 2020"
MPRNET = "Zamir et al., CVPR 2021, arXiv:2102.02808"
HINET = "Chen et al., CVPRW 2021, arXiv:2105.06086"
TLC = "Chu et al., ECCV 2022, arXiv:2112.04491"
MAXIM = "Tu et al., CVPR 2022, arXiv:2201.02973"
NAFNET = "Chen et al., ECCV 2022, arXiv:2204.04676"

MEAN = "mean"

PUBLISHED: Mapping[str, Mapping[str, tuple[Published, ...]]] = {
    "rain": {
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
    "gopro": {
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
    "hide": {
        "HIDE": (
            Published("DMPHN", 29.09, 0.924, DMPHN),
            Published("MPRNet", 30.96, 0.939, MPRNET),
            Published("MPRNet, local pooling", 31.19, 0.942, TLC),
            Published("HINet", 30.33, 0.932, HINET),
            Published("MAXIM-3S", 32.83, 0.956, MAXIM),
        )
    },
    "realblur-r": {"RealBlur-R": (Published("MPRNet, trained on RealBlur-R", 39.31, 0.972, MPRNET),)},
    "realblur-j": {
        "RealBlur-J": (
            Published("MPRNet, trained on RealBlur-J", 31.76, 0.922, MPRNET),
            Published("MPRNet, trained on GoPro", 28.70, 0.873, MPRNET),
        )
    },
    "sidd-val": {
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
}
"""By protocol and set; where a protocol has several sets, also their mean."""
