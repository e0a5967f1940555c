"""Draws the card of a page, which messengers and social networks show next to a link."""

import textwrap
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

SIZE = (1200, 630)
INDIGO = "#3f51b5"


def draw(heading: str, description: str, path: Path) -> None:
    """Write a card with the heading and the description of a page."""
    card = Image.new("RGB", SIZE, INDIGO)
    pen = ImageDraw.Draw(card)
    pen.text((80, 80), "restorekit", fill="#c5cae9", font=ImageFont.load_default(size=36))
    lines = textwrap.wrap(heading, 26)[:3]
    pen.multiline_text((80, 170), "\n".join(lines), fill="white", font=ImageFont.load_default(size=76), spacing=16)
    top = 200 + 96 * len(lines)
    pen.multiline_text((80, top), textwrap.fill(description, 58), fill="#e8eaf6", font=ImageFont.load_default(size=34), spacing=12)
    path.parent.mkdir(parents=True, exist_ok=True)
    card.quantize(16).save(path, optimize=True)
