"""Labelled pictures beside each other."""

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from restorekit.data.noise import Pixels

MARGIN = 12
BAR = 40


def side_by_side(panels: Sequence[tuple[Pixels, str]]) -> Image.Image:
    """Return one picture: images (H x W x 3, of one size) from left to right, each with a label above it."""
    height, width = panels[0][0].shape[:2]
    sheet = Image.new("RGB", (len(panels) * (width + MARGIN) + MARGIN, height + BAR + MARGIN), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=20)
    for i, (pixels, label) in enumerate(panels):
        left = MARGIN + i * (width + MARGIN)
        draw.text((left, BAR // 2), label, fill="black", font=font, anchor="lm")
        sheet.paste(Image.fromarray(pixels), (left, BAR))
    return sheet
