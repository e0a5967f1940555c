"""Writes docs/ablations.md from the declarations in docs/ablations: python docs/ablations.py."""

from pathlib import Path
from typing import NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

import restorekit

DOCS = Path(__file__).parent
SIDE = 256
HEADER = "| variant | what it is | parameters | GMACs | sides in multiples of |\n|---|---|---|---|---|"

INTRODUCTION = f"""\
# Ablations

This gallery declares networks in at most twenty lines each: every row of the ablation in MPRNet's paper, and more. Copy one into
a file and build it with `restorekit.compose("file.toml")`. [Networks as data](composition.md) explains the format.

Parameters count the whole network. GMACs are billions of multiply-accumulates of its convolutions and matrix products, for an
image of {SIDE} x {SIDE} pixels. This library resizes up *after* the 1x1 convolution, which costs less and gives the same result: in
the order of the paper, MPRNet has 759.4.

The tests build a small version of each, run it forwards and backwards, and save and load it; those of every night also export it
with `torch.export` at dynamic sizes. Nothing here has been trained.

## Rows of the paper

The figures are PSNR on GoPro, from the ablation of Zamir et al., CVPR 2021, arXiv:2102.02808. It had less training than the
published weights, so they are not comparable with those (32.66 dB). A `?` marks figures that we could not confirm in a second
source. The declarations have the widths of `mprnet_deblur`; we could not confirm those of the ablation. Supervision without
attention is `"plain"`.
"""

MORE = """
## More variants

These start from the same widths, mostly with a plain convolution as stem and a separate activation in each block.
"""


class Row(NamedTuple):
    """What the page says of a variant."""

    name: str
    title: str
    declaration: str

    def cost(self) -> str:
        """Return its row in a table; what it costs is counted on tensors without data."""
        path = DOCS / "ablations" / f"{self.name}.toml"
        with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
            model = restorekit.compose(path).eval()
            model(torch.empty(1, model.image_channels, SIDE, SIDE))
        millions = sum(parameter.numel() for parameter in model.parameters()) / 1e6
        gmacs = counter.get_total_flops() / 2e9
        return f"| [{self.name}](#{self.name}) | {self.title} | {millions:.2f} M | {gmacs:.1f} | {model.size_multiple} |"

    def section(self) -> str:
        """Return its declaration under a heading."""
        return f"### {self.name}\n\n{self.title}.\n\n```toml\n{self.declaration}```\n"


def rows() -> list[Row]:
    """Return all variants, those of the paper first."""
    found = []
    for path in sorted((DOCS / "ablations").glob("*.toml")):
        title, _, declaration = path.read_text().partition("\n")
        found.append(Row(path.stem, title.removeprefix("# "), declaration))
    return found


def page() -> str:
    """Return the page."""
    paper = [row for row in rows() if "Published:" in row.title]
    more = [row for row in rows() if row not in paper]
    tables = [INTRODUCTION, HEADER, *(row.cost() for row in paper), MORE, HEADER, *(row.cost() for row in more)]
    return "\n".join([*tables, "\n## Declarations\n", *(row.section() for row in rows())])


if __name__ == "__main__":
    (DOCS / "ablations.md").write_text(page())
