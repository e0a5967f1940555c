"""Pictures of how networks are wired: one row per stage, with boxes coloured by the grid of patches that they run on."""

import os
from collections.abc import Sequence

from restorekit.inspection._costs import Part, network_parts, on_meta
from restorekit.inspection._sheet import Box, Label, Line, Point, Sheet, save, text_width
from restorekit.ops import WHOLE, Grid
from restorekit.stages import Level, MultiStage

WHOLE_COLOUR = "#3b6fd4"
COLOURS = ("#c2570c", "#0f8f7e", "#8a4bc9", "#b3306b", "#6f7d1c", "#5b6472")  # colours of grids of patches, in order of appearance
MARGIN = 20.0
ICON = 72.0  # side of an image
GAP = 36.0  # between neighbours
BOX = 54.0  # height of a box of two lines
LEVEL = 24.0  # height of one level in a stage


def draw(model: MultiStage, path: str | os.PathLike[str], *, title: str = "") -> None:
    """Draw the wiring of a network into a file.

    Stages are rows, with their levels; stems, joins, supervision, fusions and the head are between them. The colour of a box shows
    the grid of patches that it runs on.

    Args:
        model: the network; it may be on the meta device.
        path: an ``.svg`` file.
        title: heading of the picture.

    Raises:
        ValueError: if the file does not end in ``.svg``.
    """
    save(wiring(model, title), path)


def wiring(model: MultiStage, title: str = "") -> Sheet:
    """Return the drawing of a network."""
    model = on_meta(model)
    parts = network_parts(model)
    rows = [{part.role: part for part in parts if part.stage == i + 1} for i in range(len(model.order))]
    colours = _grid_colours(model.grids)
    sheet = Sheet(title or f"A network of {len(rows)} stage{'s' * (len(rows) > 1)}")
    columns = _Columns(rows, ", ".join(["image", *(condition.name for condition in model.conditions)]), model.sources)
    y = MARGIN
    if title:
        sheet.shapes.append(Label(MARGIN, y + 12, title, size=20, anchor="start", bold=True))
        y += 48
    size = (4 * model.size_multiple,) * 2
    num_restored = 0
    for i, row in enumerate(rows):
        last = i == len(rows) - 1
        leaving = row["head" if last else "supervise"]
        outputs = leaving.run(leaving.inputs(size, device="meta"))[0]
        enlarged = f" x {model.output.scale}" if model.output.scale > 1 else ""
        restored = f"result{enlarged}" if last else None if outputs[0][1] is None else f"restored {num_restored + 1}"
        num_restored += restored is not None
        y = _Row(sheet, columns, colours, row, y, restored).draw(rows[i + 1] if not last else None)
    y = _legend(sheet, colours, y)
    sheet.width, sheet.height = columns.right + MARGIN, y
    return sheet


def _grid_colours(grids: Sequence[Grid]) -> dict[Grid, str]:
    """Return the colour of each grid, finest patches first."""
    cut = [grid for grid in dict.fromkeys(grids) if grid != WHOLE]
    return {grid: COLOURS[i % len(COLOURS)] for i, grid in enumerate(cut)} | {WHOLE: WHOLE_COLOUR}


def _box_width(*lines: str) -> float:
    return max(76.0, *(text_width(line, 14) + 20 for line in lines))


def _times(part: Part) -> str:
    """Return the name of a part, with the number of its copies."""
    return part.kind if len(part.modules) == 1 else f"{part.kind} x {len(part.modules)}"


def _scale(level: Level) -> str:
    return "1" if level.stride == 1 else f"1/{level.stride}"


def _bar_width(level: Level) -> float:
    """Return the width of the bar of a level; it is shorter where the features are smaller."""
    return 126.0 - 8 * min(level.stride.bit_length() - 1, 4)


class _Columns:
    """Horizontal positions, the same in all rows.

    Attributes:
        image: left end of the image.
        inputs: its name, and those of conditions.
        sources: for each row, the indexes of those that guide it.
        stem: left end and width of the stems; likewise for the other columns.
    """

    def __init__(self, rows: Sequence[dict[str, Part]], inputs: str, sources: Sequence[Sequence[int]]) -> None:
        def width(*roles: str) -> float:
            return max((_box_width(role, _times(row[role])) for row in rows for role in roles if role in row), default=0.0)

        joins = any("join" in row for row in rows)
        self.inputs, self.sources = inputs, sources
        self.image = MARGIN + max(0.0, (text_width(inputs, 13) - ICON) / 2)
        self.stem = (self.image + ICON + GAP, width("stem"))
        self.join = (sum(self.stem) + GAP, width("join")) if joins else self.stem
        self.encode = (sum(self.join) + GAP, 140.0)
        regrids = any(row["stage"].grids[0] != row["stage"].grids[1] for row in rows)
        fuses = any("fuse" in row for row in rows)
        between = 124.0 if regrids else 64.0 if fuses else GAP
        self.decode = (sum(self.encode) + between, 140.0)
        self.leave = (sum(self.decode) + GAP + 6, width("supervise", "head"))
        self.restored = sum(self.leave) + GAP
        self.tap = self.decode[0] - (14 if regrids else between / 2)  # where fusion takes the features of the encoder
        self.fuse = (self.tap - width("fuse") / 2, width("fuse"))
        self.right = self.restored + ICON + 8


class _Row:
    """Draws one stage, and the connectors to the next."""

    def __init__(
        self,
        sheet: Sheet,
        columns: _Columns,
        colours: dict[Grid, str],
        row: dict[str, Part],
        top: float,
        restored: str | None,
    ) -> None:
        self.sheet, self.columns, self.colours, self.row, self.restored = sheet, columns, colours, row, restored
        self.stage = row["stage"]
        levels = max(len(levels) for levels in self.stage.gives)
        self.half = max(33 + LEVEL * levels, 92) / 2
        self.top = top
        self.middle = top + max(self.half + 34, 102)

    def draw(self, following: dict[str, Part] | None) -> float:
        """Draw the row; return where the next may start."""
        columns, middle = self.columns, self.middle
        own, after = self.stage.grids
        self._label(MARGIN, self.top + 8, f"Stage {self.stage.stage}: {self.stage.kind}", size=17, anchor="start", bold=True)

        num_scales = len(self.row["stem"].modules)
        self._image(columns.image, ICON, middle, own, num_scales)
        self._caption(columns.image + ICON / 2, columns.inputs, self.row["stem"].takes[0])
        x, width = columns.stem
        self._arrow((columns.image + ICON, middle), (x, middle))
        self._box(x, width, middle, own, "stem", _times(self.row["stem"]), stack=num_scales)
        right = x + width
        if "join" in self.row:
            x, width = columns.join
            self._arrow((right, middle), (x, middle))
            self._box(x, width, middle, own, "join", _times(self.row["join"]), stack=num_scales)
            right = x + width
        x, width = columns.encode
        self._arrow((right, middle), (x, middle))
        self._pyramid(columns.encode, own, "encode", self.stage.gives[0])
        self._pyramid(columns.decode, after, "decode", self.stage.gives[1])
        self._regrid(x + width, columns.decode[0], own, after)
        self._leave(after)
        if following is None:
            return middle + max(self.half, ICON / 2 + 46) + 20
        return self._hand_on(after, following)

    def _leave(self, grid: Grid) -> None:
        """Draw supervision or head, and the image that it restores."""
        columns, middle = self.columns, self.middle
        part = self.row["supervise"] if "supervise" in self.row else self.row["head"]
        x, width = columns.leave
        self._arrow((sum(columns.decode), middle), (x, middle))
        self._box(x, width, middle, grid, part.role, _times(part), stack=len(part.modules))
        if self.restored is None:
            return
        small, centre = 34.0, x + width / 2
        above = middle - BOX / 2 - 18 - small
        self._image(centre - small / 2, small, above + small / 2, grid, 1)
        self._label(centre - small / 2 - 6, above + small / 2, "image", size=13, anchor="end")
        self._arrow((centre, above + small), (centre, middle - BOX / 2))
        self._arrow((x + width, middle), (columns.restored, middle))
        self._image(columns.restored, ICON, middle, WHOLE, len(part.modules))
        scales = part.takes[0][1::2]  # features and image in turn
        if part.role == "supervise" and "head" in self.row:
            scales = tuple(sorted(scales + self.row["head"].takes[0][1::2], key=lambda level: level.stride))
        self._caption(columns.restored + ICON / 2, self.restored, scales)

    def _hand_on(self, grid: Grid, following: dict[str, Part]) -> float:
        """Draw fusion and features on their way to the next stage; return where it starts."""
        columns, middle = self.columns, self.middle
        fuse = following.get("fuse")
        bottom = middle + max(self.half, ICON / 2 + 46)
        lane = bottom + (92 if fuse else 34)
        top = lane + 22
        start = _Row(self.sheet, columns, self.colours, following, top, None)
        x, width = columns.join
        join = x + width / 2
        x, width = columns.leave
        leave = x + width / 2
        self._line([(leave, middle + BOX / 2), (leave, lane), (join, lane), (join, start.middle - BOX / 2)])
        what = "attended features" if self.row["supervise"].kind == "sam" else "features"
        self._label(leave - 12, lane - 11, what, size=13, anchor="end")
        if fuse:
            x, width = columns.fuse
            y = bottom + 44
            encode, decode = (x + width / 2 for x, width in (columns.encode, columns.decode))
            self._line([(columns.tap, middle), (columns.tap, y - BOX / 2)])
            self._line([(decode, middle + self.half), (decode, y), (x + width, y)])
            self._box(x, width, y, grid, "fuse", _times(fuse))
            self._line([(x, y), (encode, y), (encode, lane - 7)], arrow=False)
            self._arrow((encode, lane + 7), (encode, start.middle - start.half))
            sources = columns.sources[self.stage.stage]
            by = "" if sources == (self.stage.stage - 1,) else f" by stages {', '.join(str(i + 1) for i in sources)}"
            self._label(encode - 8, y + 18, f"guidance{by}", size=13, anchor="end")
        return top

    def _regrid(self, left: float, right: float, own: Grid, after: Grid) -> None:
        """Draw the path from encoder to decoder, with the grids if they differ."""
        middle = self.middle
        if own == after:
            self._arrow((left, middle), (right, middle))
            return
        centre, small = (left + right) / 2 - 5, 28.0
        self._label(centre, middle - small / 2 - 12, "regrid", size=13)
        self._line([(left, middle), (centre - 11 - small, middle)], arrow=False)
        self._image(centre - 11 - small, small, middle, own, 1)
        self._arrow((centre - 11, middle), (centre + 11, middle))
        self._image(centre + 11, small, middle, after, 1)
        self._arrow((centre + 11 + small, middle), (right, middle))

    def _pyramid(self, column: tuple[float, float], grid: Grid, heading: str, levels: Sequence[Level]) -> None:
        """Draw one half of a stage: a box with a bar for each level, marked with width and stride."""
        x, width = column
        top = self.middle - self.half
        self.sheet.shapes.append(Box(x, top, width, 2 * self.half, self.colours[grid]))
        self._label(x + width / 2, top + 15, heading)
        first = self.middle + 12 - LEVEL * len(levels) / 2
        for i, level in enumerate(levels):
            bar = _bar_width(level)
            y = first + LEVEL * i
            self.sheet.shapes.append(Box(x + (width - bar) / 2, y, bar, LEVEL - 5, self.colours[grid], radius=3.0))
            text = str(level.width) if level.stride == 1 else f"{level.width} at {_scale(level)}"
            self._label(x + width / 2, y + (LEVEL - 5) / 2, text, size=13)

    def _box(self, x: float, width: float, middle: float, grid: Grid, heading: str, kind: str, *, stack: int = 1) -> None:
        self._stack(stack, x, middle - BOX / 2, width, BOX, grid, 8.0)
        self._label(x + width / 2, middle - 9, heading, bold=True)
        self._label(x + width / 2, middle + 10, kind)

    def _image(self, x: float, side: float, middle: float, grid: Grid, stack: int) -> None:
        """Draw an image cut into the patches of a grid."""
        colour, top = self.colours[grid], middle - side / 2
        self._stack(stack, x, top, side, side, grid, 3.0)
        for i in range(1, grid.rows):
            y = top + side * i / grid.rows
            self._line([(x, y), (x + side, y)], arrow=False, colour=colour)
        for i in range(1, grid.cols):
            self._line([(x + side * i / grid.cols, top), (x + side * i / grid.cols, top + side)], arrow=False, colour=colour)

    def _stack(self, count: int, x: float, y: float, width: float, height: float, grid: Grid, radius: float) -> None:
        """Draw this many boxes, one behind the other."""
        for offset in (8.0, 4.0, 0.0)[-count:]:
            self.sheet.shapes.append(Box(x + offset, y + offset, width, height, self.colours[grid], radius, opaque=count > 1))

    def _caption(self, x: float, text: str, levels: Sequence[Level]) -> None:
        """Write the name of an image, and its scales if there are several."""
        y = self.middle + ICON / 2 + 20
        self._label(x, y, text, size=13)
        if len(levels) > 1:
            self._label(x, y + 17, "at " + ", ".join(map(_scale, levels)), size=13)

    def _arrow(self, start: Point, end: Point) -> None:
        self._line([start, end])

    def _line(self, points: Sequence[Point], *, arrow: bool = True, colour: str | None = None) -> None:
        self.sheet.shapes.append(Line(points, arrow, colour))

    def _label(self, x: float, y: float, text: str, *, size: int = 14, anchor: str = "middle", bold: bool = False) -> None:
        self.sheet.shapes.append(Label(x, y, text, size, anchor, bold))


def _legend(sheet: Sheet, colours: dict[Grid, str], y: float) -> float:
    """Explain the colours and numbers; return where the sheet ends."""
    x = MARGIN
    y += 16
    sheet.shapes.append(Label(x, y, "Runs on", size=13, anchor="start"))
    x += 66
    for grid, colour in colours.items():
        text = "the whole image" if grid == WHOLE else f"{grid.rows * grid.cols} patches, {grid.rows} x {grid.cols}"
        sheet.shapes += [Box(x, y - 10, 20.0, 20.0, colour, radius=3.0), Label(x + 28, y, text, size=13, anchor="start")]
        x += 28 + text_width(text, 13) + 24
    text = "In a stage: the channels of each level, and the scale that it works at."
    sheet.shapes.append(Label(MARGIN, y + 28, text, size=13, anchor="start"))
    return y + 28 + MARGIN
