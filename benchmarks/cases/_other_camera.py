"""A camera that no bundled network was trained on: other colours, gains, demosaicing, tone curve and processing."""

import io

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from restorekit.images import Pixels

Float = npt.NDArray[np.float32]

TO_SRGB = np.array(  # camera's colours -> sRGB, of three cameras
    [
        [[1.62, -0.48, -0.14], [-0.2, 1.52, -0.32], [0.02, -0.55, 1.53]],
        [[1.85, -0.75, -0.10], [-0.16, 1.40, -0.24], [0.05, -0.45, 1.40]],
        [[1.45, -0.30, -0.15], [-0.28, 1.62, -0.34], [0.03, -0.40, 1.37]],
    ],
    np.float32,
)
RED_AND_BLUE = ((2.05, 1.45), (1.75, 1.85), (2.2, 1.6))  # gains
SHOT = (2.5e-4, 8e-4, 2.5e-3)  # variance of the shot noise of white
LENS = (0.0, 0.6, 0.9)  # blur in pixels
CHROMA = (0.0, 1.2, 2.5)  # smoothing in pixels
SHARPENING = (0.5, 0.25, 0.0)
JPEG = ((96, 0), (92, 1), (90, 2))  # quality, subsampling
WHITE = 0.85


def photographed(image: Pixels, index: int) -> tuple[Pixels, Pixels]:
    """Return a photograph as one of three cameras takes it at one of three sensitivities: as a JPEG file, and without noise."""
    camera, shot, lens = index % 3, SHOT[index // 3 % 3], LENS[index // 2 % 3]
    height, width = (side - side % 2 for side in image.shape[:2])
    gains = np.array([RED_AND_BLUE[camera][0], 1, RED_AND_BLUE[camera][1]], np.float32)
    sites = np.array([[0, 1], [1, 2]])[np.arange(height)[:, None] % 2, np.arange(width) % 2]

    sharp = image[:height, :width].astype(np.float32) / np.float32(255)
    seen = cv2.GaussianBlur(sharp, (0, 0), lens) if lens else sharp
    linear = np.where(seen <= 0.04045, seen / 12.92, ((seen + 0.055) / 1.055) ** 2.4)
    linear = linear / (1.25 - 0.25 * linear)
    raw = np.clip(linear @ np.linalg.inv(TO_SRGB[camera]).T, 0, 1) * WHITE / gains
    mosaic = np.take_along_axis(raw, sites[..., None], axis=2)[..., 0].astype(np.float32)
    noise = np.random.default_rng([77, index]).standard_normal(mosaic.shape).astype(np.float32)
    noisy = mosaic + np.sqrt(shot * mosaic + 7e-4 * shot + 2e-7).astype(np.float32) * noise

    def developed(values: Float) -> Pixels:
        levels = np.clip(values * gains[sites] / WHITE * 0.6 + 0.06, 0, 1) ** 0.5  # 8 bits, which VNG takes
        rgb = cv2.demosaicing(np.rint(levels * 255).astype(np.uint8), cv2.COLOR_BayerBG2RGB_VNG).astype(np.float32) / 255
        colours = np.clip(np.clip((rgb**2 - 0.06) / 0.6, 0, None) @ TO_SRGB[camera].T, 0, 1)
        toned = colours * 1.25 / (1 + 0.25 * colours)
        encoded = np.where(toned <= 0.0031308, 12.92 * toned, 1.055 * np.maximum(toned, 1e-9) ** (1 / 2.4) - 0.055)
        luma = cv2.cvtColor(encoded.astype(np.float32), cv2.COLOR_RGB2YCrCb)
        if CHROMA[camera]:
            luma[..., 1:] = cv2.GaussianBlur(luma[..., 1:], (0, 0), CHROMA[camera])
        picture = cv2.cvtColor(luma, cv2.COLOR_YCrCb2RGB)
        picture = picture + SHARPENING[camera] * (picture - cv2.GaussianBlur(picture, (0, 0), 1.0))
        return np.clip(np.rint(picture * 255), 0, 255).astype(np.uint8)

    file = io.BytesIO()
    Image.fromarray(developed(noisy)).save(file, "JPEG", quality=JPEG[camera][0], subsampling=JPEG[camera][1])
    return np.asarray(Image.open(file)), developed(mosaic)
