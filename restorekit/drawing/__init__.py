"""Pictures of how networks are wired."""

from restorekit.drawing.sheet import check_drawable, to_svg
from restorekit.drawing.wiring import draw, wiring

__all__ = ["check_drawable", "draw", "to_svg", "wiring"]
