"""Noise as cameras make it: convert to the raw mosaic, add noise there, and process it again as a camera does.

Source: Brooks et al., Unprocessing Images for Learned Raw Denoising, CVPR 2019, arXiv:1811.11127 (the conversion to raw and back,
its matrices, gains and noise levels). The further processing of a camera, in a random order and strength, follows the idea of
Zhang et al., Practical Blind Denoising via Swin-Conv-UNet and Data Synthesis, arXiv:2203.13278.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from restorekit._packages import from_extra
from restorekit.data._degrading import (
    FloatImage,
    Number,
    PairDegradation,
    Range,
    check_range,
    clipped,
    compressed,
    degradations,
    draw,
)

Matrix = npt.NDArray[np.float64]
Step = Callable[[FloatImage], FloatImage]

MARGIN = 8  # pixels around an image, so that no filter reaches its border; even, to keep the phase of the mosaic
BLACK, SCALE = 0.05, 0.3  # black, and white - black, in the 16 demosaiced bits: room below for noise, above for gains
HIGHLIGHTS = 0.9  # above this, inverse gains fade to 1

SRGB_TO_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])
XYZ_TO_CAMERA = np.array(  # colour matrices of four cameras, from Adobe's DNG converter, as Brooks et al. give them
    [
        [[1.0234, -0.2969, -0.2266], [-0.5625, 1.6328, -0.0469], [-0.0703, 0.2188, 0.6406]],
        [[0.4913, -0.0541, -0.0202], [-0.613, 1.3513, 0.2906], [-0.1564, 0.2151, 0.7183]],
        [[0.838, -0.263, -0.0639], [-0.2887, 1.0725, 0.2496], [-0.0627, 0.1427, 0.5438]],
        [[0.6596, -0.2079, -0.0562], [-0.4782, 1.3016, 0.1933], [-0.097, 0.1581, 0.5181]],
    ]
)


@degradations.register("camera")
@dataclass(frozen=True)
class CameraNoise(PairDegradation):
    """Noise of a camera's sensor as it appears in JPEG files: not white, but with blotches from demosaicing and processing.

    To raw: undo tone curve and gamma, convert to the colours of the camera, apply inverse gains and a Bayer mosaic. Noise is
    n ~ N(0, read + shot x) on the mosaic, with log read ~ N(2.18 log shot + 1.2, 0.26). And back: gains, demosaicing (edge-aware,
    or linear: Malvar et al., ICASSP 2004), colours, gamma, tone curve; then, in random order, smoothing of chroma, smoothing of
    luma and sharpening; finally JPEG. The target is processed alike, without noise and JPEG, so that colours and sharpness agree
    and only the noise remains to be learned.

    Attributes:
        shot: variance of the shot noise of a white pixel, drawn log-uniformly.
        read: factor on the standard deviation of the read noise, which otherwise follows from the shot noise.
        mosaic: whether there is a Bayer mosaic; otherwise noise is white in the camera's colours.
        lens: standard deviation in pixels of the blur of the lens, applied to half of the images.
        resize: the sensor is larger than the image by up to 1 / this; the picture is scaled down after all processing.
        chroma: probability that chroma is smoothed, with a standard deviation from 0.5 to 4 pixels.
        luma: probability that luma is smoothed, by a bilateral filter.
        sharpen: probability of an unsharp mask, radius 0.5 to 2 pixels, amount 0 to 1.
        jpeg: probability of JPEG compression; a tenth of these are compressed twice.
        quality: JPEG quality; half of the files have chroma at half the resolution.

    Raises:
        ValueError: if a number is out of its range.
    """

    shot: Range = (1e-4, 1.2e-2)
    read: Range = 1
    mosaic: bool = True
    lens: Range = (0, 1)
    resize: Range = (0.5, 1)
    chroma: Number = 0.5
    luma: Number = 0.2
    sharpen: Number = 0.4
    jpeg: Number = 0.8
    quality: Range = (60, 98)

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_range("shot", self.shot, 1e-8, 1)
        check_range("read", self.read, 0)
        check_range("lens", self.lens, 0, 10)
        check_range("resize", self.resize, 0.25, 1)
        check_range("quality", self.quality, 1, 100)
        for name in ("chroma", "luma", "sharpen", "jpeg"):
            check_range(name, getattr(self, name), 0, 1)

    def pair(self, image: FloatImage, target: FloatImage, rng: np.random.Generator) -> tuple[FloatImage, FloatImage]:
        """Return the noisy photograph, and the same photograph without noise."""
        grey = image.shape[2] == 1
        height, width = image.shape[:2]
        camera = _Camera.draw(rng)
        ratio = draw(rng, self.resize)
        blur = draw(rng, self.lens) * (rng.random() < 0.5)
        shot = draw(rng, self.shot, log=True)
        read = math.exp(rng.normal(2.18 * math.log(shot) + 1.2, 0.26)) * draw(rng, self.read) ** 2
        steps, compress = self._processing(rng), self._compression(rng)
        noise = np.random.default_rng(rng.integers(2**63))

        def clean_mosaic(picture: FloatImage) -> FloatImage:
            padded = np.pad(picture, ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), mode="symmetric")
            rgb = np.repeat(padded, 3, axis=2) if grey else padded
            if ratio < 1:
                rgb = _resized(rgb, (2 * round(rgb.shape[0] / ratio / 2), 2 * round(rgb.shape[1] / ratio / 2)))
            raw = camera.unprocess(clipped(_blurred(rgb, blur)))
            return camera.mosaic(raw) if self.mosaic else raw

        def developed(raw: FloatImage) -> FloatImage:
            picture = camera.develop(raw, demosaic=self.mosaic)
            for step in steps:
                picture = clipped(step(picture))
            if ratio < 1:
                padded_size = height + 2 * MARGIN, width + 2 * MARGIN
                picture = clipped(_resized(picture, padded_size))
            picture = picture[MARGIN : MARGIN + height, MARGIN : MARGIN + width]
            return picture.mean(axis=2, keepdims=True, dtype=np.float32) if grey else np.ascontiguousarray(picture)

        raw = clean_mosaic(image)
        noisy = raw + np.sqrt(shot * raw + read) * noise.standard_normal(raw.shape, dtype=np.float32)
        clean = raw if target is image else clean_mosaic(target)
        return compress(developed(noisy.astype(np.float32))), developed(clean)

    def _processing(self, rng: np.random.Generator) -> list[Step]:
        """Return the camera's processing after development, in order; the same number of random values is drawn in any case."""
        cv2 = _opencv()

        chroma, space, tone = rng.uniform(0.5, 4), rng.uniform(1, 3), rng.uniform(0.02, 0.1)
        radius, amount = rng.uniform(0.5, 2), rng.uniform(0, 1)

        def smooth_chroma(picture: FloatImage) -> FloatImage:
            parts = cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb)
            parts[..., 1:] = _blurred(parts[..., 1:], chroma)
            return _array(cv2.cvtColor(parts, cv2.COLOR_YCrCb2RGB))

        def smooth_luma(picture: FloatImage) -> FloatImage:
            parts = cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb)
            parts[..., 0] = cv2.bilateralFilter(np.ascontiguousarray(parts[..., 0]), 5, tone, space)
            return _array(cv2.cvtColor(parts, cv2.COLOR_YCrCb2RGB))

        def sharpen(picture: FloatImage) -> FloatImage:
            return picture + np.float32(amount) * (picture - _blurred(picture, radius))

        steps = [(smooth_chroma, self.chroma), (smooth_luma, self.luma), (sharpen, self.sharpen)]
        order, chances = rng.permutation(3), rng.random(3)
        return [steps[i][0] for i in order if chances[i] < steps[i][1]]

    def _compression(self, rng: np.random.Generator) -> Step:
        """Return the JPEG compressions of the file: none, one or two."""
        first, second = round(draw(rng, self.quality)), round(draw(rng, self.quality))
        chance, subsampled = rng.random(2)
        qualities = ([first] if chance < self.jpeg else []) + ([second] if chance < self.jpeg / 10 else [])

        def compress(picture: FloatImage) -> FloatImage:
            for quality in qualities:
                picture = compressed(picture, quality, "4:2:0" if subsampled < 0.5 else "4:4:4")
            return picture

        return compress


@dataclass(frozen=True)
class _Camera:
    """A randomly drawn camera: its colours and gains, and the phase and demosaicing of its mosaic."""

    to_camera: Matrix
    gains: npt.NDArray[np.float64]  # for red, green and blue, including the brightness
    phase: tuple[int, int]
    edge_aware: bool

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "_Camera":
        weights = rng.uniform(1e-8, 1e8, 4)
        matrix = np.tensordot(weights / weights.sum(), XYZ_TO_CAMERA, axes=1) @ SRGB_TO_XYZ
        brightness = 1 / max(0.1, rng.normal(0.8, 0.1))
        gains = brightness * np.array([rng.uniform(1.9, 2.4), 1.0, rng.uniform(1.5, 1.9)])
        phase = (int(rng.integers(2)), int(rng.integers(2)))
        return cls(matrix / matrix.sum(axis=1, keepdims=True), gains, phase, bool(rng.random() < 0.4))

    def unprocess(self, picture: FloatImage) -> FloatImage:
        """Return an sRGB picture in the camera's linear colours."""
        untoned = 0.5 - np.sin(np.arcsin(1 - 2 * picture) / 3)
        linear = np.maximum(untoned, 1e-8) ** 2.2
        raw = linear @ self.to_camera.T.astype(np.float32)
        bright = (np.clip(raw.mean(axis=2, keepdims=True) - HIGHLIGHTS, 0, None) / (1 - HIGHLIGHTS)) ** 2
        factors = 1 / self.gains.astype(np.float32)
        return clipped(raw * np.maximum(bright + (1 - bright) * factors, factors))

    def _sites(self, shape: tuple[int, ...]) -> npt.NDArray[np.intp]:
        """Return the colour of each pixel of the mosaic: a shifted RGGB pattern."""
        row, column = np.ogrid[: shape[0], : shape[1]]
        return (row + self.phase[0]) % 2 + (column + self.phase[1]) % 2

    def mosaic(self, raw: FloatImage) -> FloatImage:
        """Return the one colour that each pixel of a Bayer sensor measures."""
        return np.take_along_axis(raw, self._sites(raw.shape)[..., None], axis=2)[..., 0]

    def develop(self, raw: FloatImage, *, demosaic: bool) -> FloatImage:
        """Return the sRGB picture of a mosaic, or of linear colours."""
        gains = self.gains.astype(np.float32)
        if demosaic:
            sites = self._sites(raw.shape)
            linear = self._demosaiced(raw * gains[sites])
        else:
            linear = raw * gains
        colours = linear @ np.linalg.inv(self.to_camera).T.astype(np.float32)
        encoded = np.maximum(clipped(colours), 1e-8) ** np.float32(1 / 2.2)
        return clipped(3 * encoded**2 - 2 * encoded**3)

    def _demosaiced(self, mosaic: FloatImage) -> FloatImage:
        if not self.edge_aware:
            return _malvar(mosaic, self._sites(mosaic.shape), self.phase)
        cv2 = _opencv()

        levels = np.rint(np.clip(BLACK + SCALE * mosaic, 0, 1) * 65535).astype(np.uint16)
        # OpenCV names a mosaic by its second row and column: "BG" is RGGB.
        codes = {
            (0, 0): cv2.COLOR_BayerBG2RGB_EA,
            (0, 1): cv2.COLOR_BayerGB2RGB_EA,
            (1, 0): cv2.COLOR_BayerGR2RGB_EA,
            (1, 1): cv2.COLOR_BayerRG2RGB_EA,
        }
        rgb = cv2.demosaicing(levels, codes[self.phase])
        return ((rgb.astype(np.float32) / 65535) - BLACK) / np.float32(SCALE)


_AT_GREEN = np.array([[0, 0, 0.5, 0, 0], [0, -1, 0, -1, 0], [-1, 4, 5, 4, -1], [0, -1, 0, -1, 0], [0, 0, 0.5, 0, 0]]) / 8
_GREEN = np.array([[0, 0, -1, 0, 0], [0, 0, 2, 0, 0], [-1, 2, 4, 2, -1], [0, 0, 2, 0, 0], [0, 0, -1, 0, 0]]) / 8
_OPPOSITE = np.array([[0, 0, -1.5, 0, 0], [0, 2, 0, 2, 0], [-1.5, 0, 6, 0, -1.5], [0, 2, 0, 2, 0], [0, 0, -1.5, 0, 0]]) / 8


def _malvar(mosaic: FloatImage, sites: npt.NDArray[np.intp], phase: tuple[int, int]) -> FloatImage:
    """Demosaic with linear 5 x 5 filters that use the gradients of the other colours (Malvar et al., ICASSP 2004)."""
    cv2 = _opencv()

    def filtered(kernel: Matrix) -> FloatImage:
        return _array(cv2.filter2D(mosaic, -1, kernel.astype(np.float32), borderType=cv2.BORDER_REFLECT_101))

    along_row, along_column = filtered(_AT_GREEN), filtered(_AT_GREEN.T)
    green, opposite = filtered(_GREEN), filtered(_OPPOSITE)
    red_row = ((np.arange(mosaic.shape[0]) + phase[0]) % 2 == 0)[:, None]
    red_at_green = np.where(red_row, along_row, along_column)
    blue_at_green = np.where(red_row, along_column, along_row)
    red = np.select([sites == 0, sites == 1], [mosaic, red_at_green], opposite)
    blue = np.select([sites == 2, sites == 1], [mosaic, blue_at_green], opposite)
    return np.stack((red, np.where(sites == 1, mosaic, green), blue), axis=2)


def _blurred(picture: FloatImage, sigma: float) -> FloatImage:
    """Return a picture blurred by a Gaussian with a standard deviation in pixels."""
    cv2 = _opencv()

    return picture if sigma <= 0.05 else _array(cv2.GaussianBlur(picture, (0, 0), sigma, borderType=cv2.BORDER_REFLECT))


def _resized(picture: FloatImage, size: tuple[int, int]) -> FloatImage:
    """Return a picture resized to (rows, columns): cubic for enlarging, area averaging for shrinking."""
    cv2 = _opencv()

    kernel = cv2.INTER_AREA if size[0] < picture.shape[0] else cv2.INTER_CUBIC
    return _array(cv2.resize(picture, size[::-1], interpolation=kernel))


def _opencv() -> Any:
    """Return OpenCV, for demosaicing and filtering."""
    with from_extra("train", "camera noise needs OpenCV"):
        import cv2
    return cv2


def _array(picture: Any) -> FloatImage:
    return np.asarray(picture, dtype=np.float32)
