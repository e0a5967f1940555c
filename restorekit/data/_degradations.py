"""Computed degradations: noise, blur, rain, compression, and combinations of them.

A degradation is a function of an image and a random generator: ``degradation(image, rng)`` takes and returns float32
H x W x C in [0, 1]. All randomness comes from ``rng``, so the result of :func:`degrade` depends only on the seed and the index.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from restorekit.data._degrading import (
    Degradation,
    FloatImage,
    Kernel,
    Number,
    PairDegradation,
    Range,
    apply_pair,
    bounds,
    check_range,
    clipped,
    compressed,
    degradations,
    draw,
)


@degradations.register("gaussian")
@dataclass(frozen=True)
class GaussianNoise:
    """White Gaussian noise: y = clip(x + sigma n), n ~ N(0, 1), independent for pixels and channels.

    Attributes:
        sigma: standard deviation in 8-bit pixel values; a range, as by default, for blind denoising.
    """

    sigma: Range = (0, 55)

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_range("sigma", self.sigma, 0)

    def __call__(self, image: FloatImage, rng: np.random.Generator) -> FloatImage:
        """Return the noisy image."""
        return clipped(image + draw(rng, self.sigma) / 255 * rng.standard_normal(image.shape, dtype=np.float32))


@degradations.register("poisson_gaussian")
@dataclass(frozen=True)
class PoissonGaussianNoise:
    """Noise of a camera's sensor: y = clip(a P(x / a) + b n), P a Poisson variable with that mean, n ~ N(0, 1).

    Its variance at intensity x is a x + b^2. Source: Foi et al., Practical Poissonian-Gaussian noise modeling and fitting for
    single-image raw-data, IEEE Transactions on Image Processing 17(10), 2008; here on the colours of an image, not on raw data.

    Attributes:
        gain: a, the intensity of one photon; 1 / a photons are white.
        read: b, the standard deviation of the read noise, in 8-bit pixel values.
    """

    gain: Range = (0.0005, 0.02)
    read: Range = (0, 10)

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_range("gain", self.gain, 1e-6, 1)
        check_range("read", self.read, 0)

    def __call__(self, image: FloatImage, rng: np.random.Generator) -> FloatImage:
        """Return the noisy image."""
        gain, read = draw(rng, self.gain), draw(rng, self.read) / 255
        photons = rng.poisson(np.clip(image, 0, 1) / gain)
        return clipped(gain * photons + read * rng.standard_normal(image.shape, dtype=np.float32))


@degradations.register("motion_blur")
@dataclass(frozen=True)
class MotionBlur:
    """Blur of a shaking camera: y = k * x, where k is how long the camera's path stays over each pixel.

    The path is a random walk of constant speed: at each step the direction changes by a Gaussian, by a pull back to the
    start, and rarely by a jerk into the opposite direction. Its centroid is moved to the centre, so that the image does not
    shift. Source: the model of Boracchi and Foi, Modeling the performance of image restoration from motion blur, IEEE
    Transactions on Image Processing 21(8), 2012; the constants are ours.

    Attributes:
        length: length of the path in pixels.
        shake: how erratic the path is, from 0, a straight line, to 1.
    """

    length: Range = (5, 40)
    shake: Range = (0, 1)

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_range("length", self.length, 0, 1000)
        check_range("shake", self.shake, 0, 1)

    def __call__(self, image: FloatImage, rng: np.random.Generator) -> FloatImage:
        """Return the blurred image."""
        return _convolve(image, motion_kernel(draw(rng, self.length), draw(rng, self.shake), rng))


@degradations.register("defocus")
@dataclass(frozen=True)
class DefocusBlur:
    """Blur of a lens out of focus: y = k * x, k a uniform disk (the circle of confusion) with an antialiased edge.

    Attributes:
        radius: radius of the disk in pixels.
    """

    radius: Range = (1, 6)

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_range("radius", self.radius, 0, 200)

    def __call__(self, image: FloatImage, rng: np.random.Generator) -> FloatImage:
        """Return the blurred image."""
        radius = draw(rng, self.radius)
        reach = math.ceil(radius + 0.5)
        row, column = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        disk = np.clip(radius + 0.5 - np.hypot(row, column), 0, 1)
        return _convolve(image, disk / disk.sum())


@degradations.register("rain")
@dataclass(frozen=True)
class Rain:
    """Rain streaks in several layers: y = clip(x + sum of S_i), S_i = intensity_i (drops_i * streak_i).

    Drops are random pixels of random brightness; a streak is a line with a soft profile. Each layer is farther away than the one
    before: its streaks are shorter by a factor of 0.7, finer and fainter, and there are more of them. Source: the superposition of
    layers with one direction each is the model of Yang et al., Deep joint rain detection and removal, CVPR 2017, arXiv:1609.07769.

    Attributes:
        length: length of the nearest streaks in pixels.
        angle: their angle in degrees from the vertical; positive leans to the right at the bottom. Layers differ by up to 3.
        density: drops of the nearest layer for every 1000 pixels.
        intensity: brightness of the nearest streaks, added to pixels in [0, 1].
        width: width of the nearest streaks in pixels.
        layers: number of layers; a range of whole numbers.
    """

    length: Range = (12, 40)
    angle: Range = (-30, 30)
    density: Range = (0.5, 3)
    intensity: Range = (0.3, 0.8)
    width: Range = (1, 2.5)
    layers: Range = (1, 4)

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_range("length", self.length, 1, 1000)
        check_range("angle", self.angle, -90, 90)
        check_range("density", self.density, 0, 1000)
        check_range("intensity", self.intensity, 0)
        check_range("width", self.width, 0.5, 50)
        check_range("layers", self.layers, 1, 20)

    def __call__(self, image: FloatImage, rng: np.random.Generator) -> FloatImage:
        """Return the image with rain."""
        length, angle, density = (draw(rng, drawn) for drawn in (self.length, self.angle, self.density))
        intensity, width = draw(rng, self.intensity), draw(rng, self.width)
        low, high = bounds(self.layers)
        rainy = image.copy()
        for layer in range(int(rng.integers(round(low), round(high) + 1))):
            near = 0.7**layer
            kernel = _streak(max(2.0, length * near), angle + rng.uniform(-3, 3), max(0.5, width * near))
            drops = rng.random(image.shape[:2]) < density / 1000 / near
            brightness = drops * rng.uniform(0.3, 1, image.shape[:2])
            streaks = _convolve(brightness[..., None].astype(np.float32), kernel)
            rainy += np.float32(intensity * near) * np.clip(streaks, 0, 1)
        return clipped(rainy)


@degradations.register("jpeg")
@dataclass(frozen=True)
class JPEG:
    """JPEG compression and decompression by Pillow, with chroma at half the resolution. Source: ITU-T T.81.

    Attributes:
        quality: JPEG quality, from 1 to 100.
    """

    quality: Range = (20, 90)

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_range("quality", self.quality, 1, 100)

    def __call__(self, image: FloatImage, rng: np.random.Generator) -> FloatImage:
        """Return the image with compression artefacts."""
        return compressed(image, round(draw(rng, self.quality)), "4:2:0")


@dataclass(frozen=True)
class Combination(PairDegradation):
    """Several degradations, one after the other.

    A new random order for every image is the idea of Zhang et al., Designing a practical degradation model for deep blind image
    super-resolution, ICCV 2021, arXiv:2103.14006.

    Attributes:
        parts: the degradations.
        random_order: whether to shuffle them for every image; otherwise they are applied in the given order.
        probability: probability that each part is applied.
    """

    parts: Sequence[Degradation]
    random_order: bool = True
    probability: Number = 1.0

    def __post_init__(self) -> None:
        """Check the numbers."""
        if not self.parts:
            raise ValueError("a combination needs at least one degradation")
        check_range("probability", self.probability, 0, 1)

    def pair(self, image: FloatImage, target: FloatImage, rng: np.random.Generator) -> tuple[FloatImage, FloatImage]:
        """Return the degraded image and its target."""
        order = rng.permutation(len(self.parts)) if self.random_order else np.arange(len(self.parts))
        for i in order:
            if rng.random() < self.probability:
                image, target = apply_pair(self.parts[i], image, target, rng)
        return image, target


@dataclass(frozen=True)
class Choice(PairDegradation):
    """One of several degradations, drawn for every image.

    Attributes:
        parts: the degradations.
        weights: how often each is drawn, relative to the others; all the same if empty.
    """

    parts: Sequence[Degradation]
    weights: Sequence[Number] = ()

    def __post_init__(self) -> None:
        """Check the numbers."""
        if not self.parts:
            raise ValueError("a choice needs at least one degradation")
        if self.weights and len(self.weights) != len(self.parts):
            raise ValueError(f"weights must be {len(self.parts)} numbers, one for each degradation; got {list(self.weights)}")
        if self.weights and (min(self.weights) < 0 or sum(self.weights) <= 0):
            raise ValueError(f"weights must not be negative, and one must be above 0; got {list(self.weights)}")

    def pair(self, image: FloatImage, target: FloatImage, rng: np.random.Generator) -> tuple[FloatImage, FloatImage]:
        """Return the degraded image and its target."""
        weights = np.array(self.weights or [1] * len(self.parts), float)
        return apply_pair(self.parts[int(rng.choice(len(self.parts), p=weights / weights.sum()))], image, target, rng)


def motion_kernel(length: float, shake: float, rng: np.random.Generator) -> Kernel:
    """Return the kernel of :class:`MotionBlur`: non-negative, with odd sides, sum one and its centroid at the centre."""
    steps = max(2, round(4 * length))
    direction = np.exp(2j * np.pi * rng.random())
    path = np.zeros(steps, complex)
    for i in range(1, steps):
        pull = -0.7 * path[i - 1] / max(1.0, length)
        jerk = -2 * direction if rng.random() < 1 / steps else 0
        push = shake * (0.15 * complex(*rng.standard_normal(2)) + pull + jerk)
        turned = direction + push
        direction = turned / abs(turned) if abs(turned) > 1e-9 else direction
        path[i] = path[i - 1] + direction * length / (steps - 1)
    path -= path.mean()
    reach = math.ceil(max(np.abs(path.real).max(), np.abs(path.imag).max())) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    row, column = path.imag + reach, path.real + reach
    top, left = np.floor(row).astype(int), np.floor(column).astype(int)
    down, right = row - top, column - left  # each point is shared among its four pixels
    for below, beside in ((0, 0), (0, 1), (1, 0), (1, 1)):
        np.add.at(kernel, (top + below, left + beside), np.abs(1 - below - down) * np.abs(1 - beside - right))
    return kernel / kernel.sum()


def _streak(length: float, angle: float, width: float) -> Kernel:
    """Return a line with its largest value one, a Gaussian profile across, and ends that fade over a width."""
    reach = math.ceil(length / 2 + width) + 1
    row, column = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    radians = math.radians(angle)
    along = row * math.cos(radians) + column * math.sin(radians)
    across = column * math.cos(radians) - row * math.sin(radians)
    return np.exp(-0.5 * (2 * across / width) ** 2) * np.clip((length / 2 - np.abs(along)) / width + 0.5, 0, 1)


def _convolve(image: FloatImage, kernel: Kernel) -> FloatImage:
    """Convolve every channel with a kernel that has odd sides; borders are reflected."""
    down, across = (side // 2 for side in kernel.shape)
    padded = np.pad(image, ((down, down), (across, across), (0, 0)), mode="reflect")
    size = padded.shape[:2]
    spectrum = np.fft.rfft2(padded, axes=(0, 1)) * np.fft.rfft2(kernel, s=size)[..., None]
    full = np.fft.irfft2(spectrum, s=size, axes=(0, 1))
    return full[2 * down :, 2 * across :].astype(np.float32)
