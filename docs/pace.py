"""Draws docs/assets/pace.svg: PSNR against time of denoisers, from the benchmark `pace`.

python docs/pace.py
"""

import math
import sys
from html import escape
from pathlib import Path

ROOT = Path(__file__).parent.parent
PICTURE = Path(__file__).parent / "assets" / "pace.svg"
WIDTH, HEIGHT = 760, 400
LEFT, RIGHT, TOP, BOTTOM = 60, 215, 16, 48  # margins; names stand at the right of their dots
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)  # seconds
STYLE = """.pace { font: 14px sans-serif; background: #fff } .pace text { fill: #222 } .pace .axis { stroke: #888; fill: none }
.pace .grid { stroke: #ddd } .pace .ours { fill: #2a6fdb } .pace .others { fill: #777 }"""

sys.path.insert(0, str(ROOT / "benchmarks"))

import _harness  # noqa: E402


def page() -> str:
    """Return the drawing."""
    rows = sorted(_harness.load("pace", None)["rows"], key=lambda row: row["psnr"])
    slow, fast = max(row["seconds"] for row in rows), min(row["seconds"] for row in rows)
    low, high = math.floor(rows[0]["psnr"]), math.ceil(rows[-1]["psnr"])

    def across(seconds: float) -> float:
        share = math.log(seconds / fast * 1.25) / math.log(slow / fast * 1.25**2)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def down(psnr: float) -> float:
        return HEIGHT - BOTTOM - (psnr - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    lines = []
    for db in range(low, high + 1):
        lines.append(f'<path class="grid" d="M{LEFT} {down(db):.1f}H{WIDTH - RIGHT}"/>')
        lines.append(f'<text x="{LEFT - 8}" y="{down(db) + 5:.1f}" text-anchor="end">{db}</text>')
    for seconds in TICKS:
        if fast / 1.25 <= seconds <= slow * 1.25:
            lines.append(f'<path class="grid" d="M{across(seconds):.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
            lines.append(f'<text x="{across(seconds):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{seconds}</text>')
    above = math.inf
    for row in reversed(rows):  # best first: names move down where they would cover each other
        x, y = across(row["seconds"]), down(row["psnr"])
        above = max(y + 5, above + 17) if above < math.inf else y + 5
        kind = "ours" if row["method"].startswith("nafnet_tiny") else "others"
        lines.append(f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="6"/>')
        lines.append(f'<path class="axis" d="M{x + 8:.1f} {y:.1f}L{WIDTH - RIGHT + 4} {above - 5:.1f}" stroke-dasharray="2 4"/>')
        lines.append(f'<text x="{WIDTH - RIGHT + 8}" y="{above:.1f}">{escape(row["method"])}</text>')
    lines.append(f'<path class="axis" d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}"/>')
    lines.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">seconds a megapixel</text>')
    middle = (TOP + HEIGHT - BOTTOM) / 2
    lines.append(f'<text transform="translate(16 {middle}) rotate(-90)" text-anchor="middle">PSNR, dB</text>')
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" class="pace" role="img">'
    title = "<title>PSNR on camera noise against seconds a megapixel</title>"
    return "\n".join([head, title, f"<style>{STYLE}</style>", *lines, "</svg>\n"])


if __name__ == "__main__":
    PICTURE.write_text(page(), encoding="utf-8")
