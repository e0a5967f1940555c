"""Training data: pairs, published layouts, data sets, degradations."""

from restorekit.data._camera import CameraNoise
from restorekit.data._datasets import (
    DegradedCrops,
    PairedCrops,
    Sample,
    central_crop,
    drawn_place,
    peak_of,
    random_crop,
    saturated,
    to_tensor,
)
from restorekit.data._degradations import (
    JPEG,
    Choice,
    Combination,
    DefocusBlur,
    GaussianNoise,
    MotionBlur,
    PoissonGaussianNoise,
    Rain,
)
from restorekit.data._degrading import (
    Degradation,
    Number,
    PairDegradation,
    create_degradation,
    degradations,
    degrade,
    degrade_pair,
    drawn_condition,
    sample_rng,
    to_pixels,
)
from restorekit.data._layouts import LAYOUTS, folders, gopro, hide, rain13k, rain_test, realblur, sidd_medium
from restorekit.data._noise import add_gaussian_noise
from restorekit.data._pairs import PairPaths, find_pairs, listed, read_pair, read_planes, read_rgb
from restorekit.data._prepare import prepare_sidd

__all__ = [
    "JPEG",
    "LAYOUTS",
    "CameraNoise",
    "Choice",
    "Combination",
    "DefocusBlur",
    "Degradation",
    "DegradedCrops",
    "GaussianNoise",
    "MotionBlur",
    "Number",
    "PairDegradation",
    "PairPaths",
    "PairedCrops",
    "PoissonGaussianNoise",
    "Rain",
    "Sample",
    "add_gaussian_noise",
    "central_crop",
    "create_degradation",
    "degradations",
    "degrade",
    "degrade_pair",
    "drawn_condition",
    "drawn_place",
    "find_pairs",
    "folders",
    "gopro",
    "hide",
    "listed",
    "peak_of",
    "prepare_sidd",
    "rain13k",
    "rain_test",
    "random_crop",
    "read_pair",
    "read_planes",
    "read_rgb",
    "realblur",
    "sample_rng",
    "saturated",
    "sidd_medium",
    "to_pixels",
    "to_tensor",
]

__dir__ = __all__.copy
