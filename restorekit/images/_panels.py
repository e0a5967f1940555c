"""Labelled pictures side by side."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from restorekit.images._modes import from_array
from restorekit.images._picture import Picture, Pixels

MARGIN = 12
BAR = 40


def _for_screen(picture: Picture) -> Pixels:
    """Return the pixels of a picture for a screen: upright, at 8 bits, in colour, and on white where they are transparent."""
    pixels = picture.pixels if picture.pixels.dtype == np.uint8 else (picture.pixels // 257).astype(np.uint8)
    image = ImageOps.exif_transpose(from_array(pixels, picture.info))
    if picture.has_alpha:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    return np.asarray(image.convert("RGB"))


def before_and_after(before: Picture, after: Picture) -> tuple[Pixels, Pixels]:
    """Return two pictures for a screen, both as large as the second; pixels of the first are repeated if it is smaller."""
    shown = _for_screen(after)
    size = (shown.shape[1], shown.shape[0])
    return np.asarray(Image.fromarray(_for_screen(before)).resize(size, Image.Resampling.NEAREST)), shown


def side_by_side(panels: Sequence[tuple[Pixels, str]]) -> Image.Image:
    """Return one picture: images (H x W x 3, of one size) from left to right, each with a label above it, as large as fits."""
    height, width = panels[0][0].shape[:2]
    sheet = Image.new("RGB", (len(panels) * (width + MARGIN) + MARGIN, height + BAR + MARGIN), "white")
    draw = ImageDraw.Draw(sheet)
    for i, (pixels, label) in enumerate(panels):
        left = MARGIN + i * (width + MARGIN)
        fonts = [ImageFont.load_default(size=size) for size in range(20, 7, -1)]
        font = next((font for font in fonts if font.getlength(label) <= width), fonts[-1])
        draw.text((left, BAR // 2), label, fill="black", font=font, anchor="lm")
        sheet.paste(Image.fromarray(pixels), (left, BAR))
    return sheet


def contact_sheet(rows: Sequence[Sequence[tuple[Pixels, str]]]) -> Image.Image:
    """Return one picture: rows of labelled images, one below the other."""
    pictures = [side_by_side(panels) for panels in rows]
    sheet = Image.new("RGB", (max(picture.width for picture in pictures), sum(picture.height for picture in pictures)), "white")
    top = 0
    for picture in pictures:
        sheet.paste(picture, (0, top))
        top += picture.height
    return sheet
