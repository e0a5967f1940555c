"""Overlapping tiles: their positions, and how their results become one image without seams."""

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from restorekit.inference._options import least_tile


@dataclass(frozen=True)
class Tiling:
    """How an image is cut into evenly spread, overlapping tiles of one size.

    Attributes:
        size: height and width of the image, padded to a size that the network takes.
        tile: height and width of a tile: at most the size, and multiples of ``multiple``.
        multiple: the sides of the network's images are multiples of this; tiles start at multiples of it, as coarse features do.
        overlap: least number of pixels that neighbours share; at most a third of a tile, so that at most two tiles share a pixel.
    """

    size: tuple[int, int]
    tile: tuple[int, int]
    multiple: int
    overlap: int = 64

    @property
    def least(self) -> int:
        """The least side of a tile if there are several: more than the pixels that neighbours share."""
        return least_tile(self.overlap, self.multiple)

    @property
    def can_shrink(self) -> bool:
        """Whether smaller tiles are possible."""
        return any(tile > min(self._sides(dim)) for dim, tile in enumerate(self.tile))

    def at_most(self, side: int) -> "Tiling":
        """Return the fewest tiles of the same image that are no larger than this, or else the smallest possible ones."""
        height, width = (max((fits for fits in self._sides(dim) if fits <= side), default=min(self._sides(dim))) for dim in (0, 1))
        return replace(self, tile=(height, width))

    def within(self, pixels: float) -> "Tiling":
        """Return the tiles of at most this many pixels that are fewest in total; the smallest ones if none are small enough."""
        tiles = itertools.product(self._sides(0), self._sides(1))
        fitting = [replace(self, tile=tile) for tile in tiles if math.prod(tile) <= pixels]
        return min(fitting, key=lambda tiling: tiling.num_tiles * math.prod(tiling.tile), default=self.at_most(0))

    @property
    def starts(self) -> tuple[list[int], list[int]]:
        """First rows and first columns of the tiles."""
        return self._starts(0), self._starts(1)

    @property
    def num_tiles(self) -> int:
        """Number of tiles."""
        return self._count(0) * self._count(1)

    @property
    def _shared(self) -> int:
        return self.overlap + self.multiple  # a start may move by half a multiple

    def _sides(self, dim: int) -> list[int]:
        """Return the possible sides of tiles: the least for one in a row (or column), for two, for three, ..."""
        length, sides = self.size[dim], [self.size[dim]]
        while True:
            count = len(sides) + 1
            side = math.ceil((length + (count - 1) * self._shared) / count / self.multiple) * self.multiple
            if max(side, self.least) >= sides[-1]:
                return sides
            sides.append(max(side, self.least))

    def _count(self, dim: int) -> int:
        rest = self.size[dim] - self.tile[dim]
        return math.ceil(rest / (self.tile[dim] - self._shared)) + 1 if rest > 0 else 1

    def _starts(self, dim: int) -> list[int]:
        rest, steps = self.size[dim] - self.tile[dim], self._count(dim) - 1
        return [0] + [round(i * rest / steps / self.multiple) * self.multiple for i in range(1, steps + 1)]


def blended(
    run: Callable[[int, int], Float[Tensor, "n c tile_h tile_w"]], tiling: Tiling, scale: int = 1
) -> Iterator[Float[Tensor, "n c rows width"]]:
    """Run all tiles and yield the image from top to bottom, in bands of complete rows.

    Where two tiles overlap, one fades into the other in the middle of the overlap. The outermost quarter of an overlap, where a
    tile sees too little of its surroundings, is not used at all. All bands share the same memory: each one is valid until the next
    is requested.

    Args:
        run: restores the tile that starts at a row and a column.
        tiling: positions of the tiles in the image.
        scale: how many times as high and wide as the image the restored one is.
    """
    rows, columns = ([scale * start for start in starts] for starts in tiling.starts)
    height, width = (scale * side for side in tiling.tile)
    fade = scale * tiling.overlap // 2
    down, across = _fades(rows, height, fade), _fades(columns, width, fade)
    band: Tensor | None = None  # weighted sums of a row of tiles; its top includes rows shared with the previous row of tiles
    for i, top in enumerate(rows):
        for j, left in enumerate(columns):
            tile = run(top // scale, left // scale)
            if band is None:
                band = tile.new_zeros(*tile.shape[:2], height, scale * tiling.size[1])
            band[..., left : left + width] += tile * (down[i][:, None] * across[j]).to(tile)
        assert band is not None  # there is at least one column
        if i + 1 == len(rows):
            yield band
            return
        complete = rows[i + 1] - top
        yield band[..., :complete, :]
        shared = band[..., complete:, :].clone()
        band.zero_()
        band[..., : shared.shape[-2], :] = shared


def _fades(starts: list[int], tile: int, length: int) -> list[Tensor]:
    """Return the weight of each pixel of each tile along one side; at every pixel of the image the weights add up to 1.

    Args:
        starts: starts of the tiles.
        tile: side of a tile.
        length: length of a fade, which is in the middle of an overlap.
    """
    place = torch.arange(tile, dtype=torch.float64) + 0.5
    fades = [torch.ones(tile, dtype=torch.float64) for _ in starts]
    for i, (first, second) in enumerate(zip(starts, starts[1:], strict=False)):
        shared = tile - (second - first)
        rise = 0.5 - 0.5 * torch.cos(math.pi * ((place - (shared - length) / 2) / max(1, length)).clamp(0, 1))
        fades[i + 1] *= rise
        fades[i][-shared:] *= 1 - rise[:shared]
    return fades
