"""Drawings of boxes, lines and labels, and their conversion to SVG."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape

from restorekit._files import atomic_path

CHARACTER = 0.56  # mean width of a character, as a fraction of the font size
ARROW = 9.0
PAPER, INK = "#fff", "#222"  # of an SVG; a style sheet of a page can override the classes paper, ink and line

Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A rectangle, filled lightly in its colour; what is behind it shows through unless it is opaque."""

    x: float
    y: float
    width: float
    height: float
    colour: str
    radius: float = 8.0
    opaque: bool = False


@dataclass(frozen=True)
class Line:
    """Straight lines from point to point."""

    points: Sequence[Point]
    arrow: bool = True
    colour: str | None = None

    @property
    def shaft(self) -> Sequence[Point]:
        """Return the points without the arrow head."""
        return [*self.points[:-1], _before_arrow(self.points)] if self.arrow else self.points


@dataclass(frozen=True)
class Label:
    """Text that is vertically centred; ``anchor`` says which end is at ``x``: ``start``, ``middle`` or ``end``."""

    x: float
    y: float
    text: str
    size: int = 14
    anchor: str = "middle"
    bold: bool = False


@dataclass
class Sheet:
    """A drawing: shapes on a sheet of a given size.

    Attributes:
        title: description of the picture.
        shapes: shapes, from back to front.
        width: width of the sheet.
        height: height of the sheet.
    """

    title: str
    shapes: list[Box | Line | Label] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0


def check_drawable(path: str | os.PathLike[str]) -> None:
    """Raise a ``ValueError`` if a picture cannot be written to a file with this name."""
    if Path(path).suffix != ".svg":
        raise ValueError(f"{path}: drawings are written as SVG; choose an .svg file. Browsers and Inkscape can convert it")


def save(sheet: Sheet, path: str | os.PathLike[str]) -> None:
    """Write a drawing into an ``.svg`` file."""
    check_drawable(path)
    with atomic_path(path) as temporary:
        temporary.write_bytes(to_svg(sheet).encode())


def text_width(text: str, size: int) -> float:
    """Return the approximate width of a text."""
    return CHARACTER * size * len(text)


def to_svg(sheet: Sheet) -> str:
    """Return a drawing as SVG without references, so that a page can contain it more than once."""
    width, height = f"{sheet.width:.0f}", f"{sheet.height:.0f}"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
            f'class="wiring" role="img" aria-label="{escape(sheet.title, {chr(34): "&quot;"})}" '
            'style="max-width:100%;height:auto">',
            f'<rect class="paper" width="{width}" height="{height}" fill="{PAPER}"/>',
            f'<g class="ink" font-family="system-ui,sans-serif" fill="{INK}">',
            *(_svg_shape(shape) for shape in sheet.shapes),
            "</g>",
            "</svg>",
            "",
        ]
    )


def _svg_shape(shape: Box | Line | Label) -> str:
    if isinstance(shape, Box):
        place = f'x="{shape.x:g}" y="{shape.y:g}" width="{shape.width:g}" height="{shape.height:g}" rx="{shape.radius:g}"'
        paper = f'<rect class="paper" {place} fill="{PAPER}"/>' if shape.opaque else ""
        colour = f'fill="{shape.colour}" fill-opacity=".18" stroke="{shape.colour}" stroke-width="1.5"'
        return f"{paper}<rect {place} {colour}/>"
    if isinstance(shape, Label):
        weight = ' font-weight="600"' if shape.bold else ""
        # the base line is about a third of the size below the middle of the letters
        return (
            f'<text x="{shape.x:g}" y="{shape.y + 0.35 * shape.size:g}" font-size="{shape.size}" text-anchor="{shape.anchor}"'
            f"{weight}>{escape(shape.text)}</text>"
        )
    path = "M" + "L".join(f"{x:g} {y:g}" for x, y in shape.shaft)
    stroke = f'stroke="{shape.colour}"' if shape.colour else f'class="line" stroke="{INK}"'
    line = f'<path d="{path}" {stroke} fill="none" stroke-width="1.5" stroke-opacity=".8"/>'
    if not shape.arrow:
        return line
    head = "L".join(f"{x:g} {y:g}" for x, y in _arrow_head(shape.points))
    return f'{line}<path d="M{head}z" fill-opacity=".8"/>'


def _direction(points: Sequence[Point]) -> Point:
    """Return the direction of the last segment of a line, which is horizontal or vertical."""
    (x1, y1), (x2, y2) = points[-2:]
    length = abs(x2 - x1) + abs(y2 - y1)
    return (x2 - x1) / length, (y2 - y1) / length


def _before_arrow(points: Sequence[Point]) -> Point:
    """Return where a line ends and its arrow head begins."""
    (dx, dy), (x, y) = _direction(points), points[-1]
    return x - ARROW * dx, y - ARROW * dy


def _arrow_head(points: Sequence[Point]) -> list[Point]:
    (dx, dy), (x, y) = _direction(points), _before_arrow(points)
    return [points[-1], (x - 0.5 * ARROW * dy, y + 0.5 * ARROW * dx), (x + 0.5 * ARROW * dy, y - 0.5 * ARROW * dx)]
