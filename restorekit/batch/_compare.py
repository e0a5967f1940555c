"""Pictures of before and after."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from restorekit.images import Picture, Pixels, from_array, side_by_side


def comparison(before: Picture, after: Picture) -> Picture:
    """Return one picture of two beside each other, upright, at 8 bits, on white where they are transparent."""
    sheet = side_by_side([(_shown(before), "before"), (_shown(after), "after")])
    profile = before.info.get("icc_profile") if not before.mode.startswith(("L", "I")) else None
    return Picture(np.asarray(sheet), {"icc_profile": profile} if profile else {})


def comparison_path(target: Path) -> Path:
    """Return where the comparison of an output goes: beside it."""
    return target.with_name(f"{target.stem}.compare.png")


def _shown(picture: Picture) -> Pixels:
    pixels = picture.pixels if picture.pixels.dtype == np.uint8 else (picture.pixels // 257).astype(np.uint8)
    image = ImageOps.exif_transpose(from_array(pixels, picture.info))
    if picture.has_alpha:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    return np.asarray(image.convert("RGB"))
