"""Pictures of the book from text: docs/drawings/NAME.draw -> docs/img/NAME.svg, and NAME.console likewise.

The pictures are in the tree, so that a code host shows them; a test sees to it that they are fresh.

A drawing is a grid, written from the top. Rows and columns are as large as what is in them:

    title  The ways of a page fault  what it shows, also for those who cannot see it
    gaps   40 28                     pixels between columns, between rows
    row [N]                          begins a row; N pixels further down than usual
     user a Text | more text         a cell: style, name (- for none), its lines. The first is a name, the others say what
     room*2 b Text                   it is two columns wide; *2*3: and three rows high
     -                               an empty cell; -*2: two
     draw - NAME | NAME              other drawings, one below the other, each with its title
    edge   0x8000_0000               what is written left of the line below the rows so far
    a -> b Label                     an arrow; a.r -> b.t0.3: from the right side of a to the top of b, at 30 % of its width
    a -- b                           a line; a .> b dotted
    side   a b Text | more           a bracket to the right of the rows from a to b
    lanes                            columns are actors: a line down each

Styles with a frame: user, room, ground, data, good, bad, hole, next to which a ' ("room'") sets what it says beside the
name and not below. Without one: text, code, head, big, note.

NAME.console is what a console showed, from the kernel's first line on; lines with #: in front are about it, the first its title.
"""
from __future__ import annotations

import re
from html import escape
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
SOURCES, PICTURES = TOP / "docs/drawings", TOP / "docs/img"

MONO, SANS = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace", "system-ui, 'DejaVu Sans', sans-serif"
LIGHT = {"paper": "#ffffff", "ink": "#17212b", "soft": "#40505f", "line": "#5b6b7a", "red": "#b0413e",
         "user": "#f7efe0 #8a6a2f", "room": "#eef3f8 #47637f", "ground": "#e6e1d6 #6d6249", "data": "#dbe7f3 #47637f",
         "good": "#e4f2e4 #3f7a45", "bad": "#fbe7e5 #b0413e", "hole": "none #8b959f"}
DARK = {"paper": "#14191f", "ink": "#e6edf3", "soft": "#a9b8c6", "line": "#8b9aa8", "red": "#f08a80",
        "user": "#33291a #d1a659", "room": "#1f2b37 #7fa3c7", "ground": "#302c22 #b9a877", "data": "#2d4257 #7fa3c7",
        "good": "#1d3020 #7fbf86", "bad": "#3a2020 #f08a80", "hole": "none #6c7782"}
FRAMED = [style for style in LIGHT if " " in LIGHT[style]]
FREE = ["text", "code", "head", "big", "note", "draw"]
LINE, PAD = 18, 12  # height of a line of text, space between a frame and its text


def colours(of: dict[str, str]) -> str:
    rules = [f".paper {{ fill: {of['paper']}; }}", f"text {{ fill: {of['ink']}; }}", f".what {{ fill: {of['soft']}; }}",
             f".line, .lane {{ stroke: {of['line']}; }}", f".tip {{ fill: {of['line']}; }}", f".note {{ fill: {of['red']}; }}"]
    for style in FRAMED:
        fill, stroke = of[style].split()
        rules.append(f".{style} {{ fill: {fill}; stroke: {stroke}; }}")
    return " ".join(rules)


STYLE = f"""
    text {{ font-family: {MONO}; font-size: 14px; white-space: pre; }}
    .what, .note, .head, .big {{ font-family: {SANS}; font-size: 13px; }}
    .head {{ font-size: 15px; font-weight: bold; }} .big {{ font-size: 44px; font-weight: bold; }}
    .line {{ fill: none; stroke-width: 1.4; }} .lane {{ fill: none; stroke-width: 0.7; }} .dots {{ stroke-dasharray: 4 4; }}
    {" ".join("." + style for style in FRAMED).replace(" ", ", ")} {{ stroke-width: 1.2; }} .hole {{ stroke-dasharray: 4 4; }}
    {colours(LIGHT)}
    @media (prefers-color-scheme: dark) {{ {colours(DARK)} }}"""


class Mistake(Exception):
    pass


def width(text: str, kind: str) -> float:
    """Pixels that the text needs at most, with the usual fonts."""
    return len(text) * {"what": 7.3, "note": 7.3, "head": 9.6, "big": 28}.get(kind, 8.45)


def write(x: float, y: float, text: str, kind: str = "", room: float = 0, more: str = "") -> str:
    """A line of text; `room` is the width that it must not exceed, for the test that looks."""
    attributes = (f'class="{kind}" ' if kind else "") + f'x="{x:g}" y="{y:g}"' + (f' data-room="{room:.0f}"' if room else "")
    return f"<text {attributes}{more}>{escape(text)}</text>"


class Cell:
    def __init__(self, style: str, name: str, lines: list[str], wide: int, high: int, row: int, column: int):
        self.beside = style.endswith("'")
        self.style, self.name, self.lines = style.rstrip("'"), name, lines
        self.wide, self.high, self.row, self.column = wide, high, row, column
        self.x = self.y = self.w = self.h = 0.0
        self.drawings = [Drawing(SOURCES / f"{name}.draw") for name in lines] if self.style == "draw" else []
        self.nameless = len(lines) > 1 and not lines[0]
        if self.nameless:
            del self.lines[0]
        self.column_of_what = 170.0

    def kind(self, line: int) -> str:
        if self.style in FREE:
            return {"text": "what", "code": ""}.get(self.style, self.style)
        return "what" if line or self.nameless else ""

    def size(self) -> tuple[float, float]:
        if self.drawings:
            return max(d.width for d in self.drawings), sum(d.height + 46 for d in self.drawings)
        widths = [width(line, self.kind(n)) for n, line in enumerate(self.lines)]
        pad = 2 * PAD if self.style in FRAMED else PAD
        if self.beside:
            return self.column_of_what + 14 + max(widths[1:], default=0) + pad, LINE + 16
        return max(widths) + pad, (LINE + 34 * (self.style == "big")) * len(self.lines) + (16 if self.style in FRAMED else 4)

    def draw(self) -> list[str]:
        out, y = [], self.y
        for drawing in self.drawings:
            out.append(write(self.x + 20, y + 24, drawing.title, "head"))
            out += [f'<g transform="translate({self.x:g} {y + 26:g})">', *drawing.parts, "</g>"]
            y += drawing.height + 46
        if self.drawings:
            return out
        if self.style in FRAMED:
            out.append(f'<rect class="{self.style}" x="{self.x:g}" y="{self.y:g}" width="{self.w:g}" height="{self.h:g}" rx="3"/>')
        left, room = self.x + (PAD if self.style in FRAMED else 0), self.w - (PAD if self.style in FRAMED else 0)
        if self.beside:
            middle = self.y + self.h / 2 + 5
            out.append(write(left, middle, self.lines[0], "", room))
            begin = self.column_of_what + 14
            out += [write(left + begin, middle, line, "what", room - begin) for line in self.lines[1:]]
            return out
        top = self.y + (self.h - LINE * len(self.lines)) / 2 + 13
        return out + [write(left, top + LINE * n, line, self.kind(n), room) for n, line in enumerate(self.lines)]


class Drawing:
    def __init__(self, source: Path):
        self.source, self.title, self.cells = source, "", []
        self.arrows, self.edges, self.sides = [], [], []
        self.gap, self.row_gap, self.extra, self.lanes = 40.0, 26.0, {}, False
        self.rows = self.columns = 0
        self.taken: set[tuple[int, int]] = set()
        for number, line in enumerate(source.read_text().splitlines(), 1):
            try:
                self.read(line.split("#", 1)[0].rstrip() if line.lstrip().startswith("#") else line.rstrip())
            except (Mistake, ValueError, IndexError, FileNotFoundError) as error:
                raise Mistake(f"{source.name}:{number}: {error}: {line}") from None
        if not self.title or not self.cells:
            raise Mistake(f"{source.name}: no title, or nothing drawn")
        self.named = {cell.name: cell for cell in self.cells if cell.name != "-"}
        self.place()
        self.parts = self.draw()

    # ---- reading

    def read(self, line: str) -> None:
        first, _, rest = line.strip().partition(" ")
        if not first:
            return
        if line[0] == " ":
            self.read_cell(first, rest.strip())
        elif first == "title":
            self.title = rest.strip()
        elif first == "gaps":
            self.gap, self.row_gap = map(float, rest.split())
        elif first == "row":
            self.extra[self.rows] = float(rest or 0)
            self.rows += 1
        elif first == "lanes":
            self.lanes = True
        elif first == "edge":
            self.edges.append((self.rows, rest.strip()))
        elif first == "side":
            begin, end, text = rest.split(None, 2)
            self.sides.append((begin, end, text.split(" | ")))
        elif match := re.fullmatch(r"(\S+) (->|--|\.>) (\S+)(?: +(.*))?", line.strip()):
            self.arrows.append((match[1], match[2], match[3], (match[4] or "").split(" | ") if match[4] else []))
        else:
            raise Mistake(f"what is {first}?")

    def read_cell(self, style: str, rest: str) -> None:
        style, *sizes = style.split("*")
        wide, high = [int(n) for n in sizes + ["1"] * (2 - len(sizes))]
        row, column = self.rows - 1, 0
        while (row, column) in self.taken:
            column += 1
        self.taken |= {(row + r, column + c) for r in range(high) for c in range(wide)}
        self.columns = max(self.columns, column + wide)
        if style == "-":
            return
        if style.rstrip("'") not in FRAMED + FREE:
            raise Mistake(f"no style {style}")
        name, _, text = rest.partition(" ")
        lines = [part.strip() for part in re.split(r"(?:^| )\|(?: |$)", text.strip())]
        self.cells.append(Cell(style, name, lines, wide, high, row, column))

    # ---- placing

    def place(self) -> None:
        widths, heights = [0.0] * self.columns, [0.0] * self.rows
        gaps = [self.gap] * self.columns
        for begin, _, end, label in self.arrows:
            a, b = self.end(begin)[0], self.end(end)[0]
            left, right = (a, b) if a.column < b.column else (b, a)
            if label and a.row <= b.row < a.row + a.high and right.column - left.column == left.wide:
                need = max(width(line, "what") for line in label) + 34
                gaps[right.column - 1] = max(gaps[right.column - 1], need)
        longest = max([width(cell.lines[0], "") for cell in self.cells if cell.beside], default=0)
        for cell in self.cells:
            cell.column_of_what = longest
        for cell in sorted(self.cells, key=lambda c: c.wide):
            inner = sum(gaps[cell.column:cell.column + cell.wide - 1])
            short = cell.size()[0] - sum(widths[cell.column:cell.column + cell.wide]) - inner
            if short > 0:
                for column in range(cell.column, cell.column + cell.wide):
                    widths[column] += short / cell.wide
        rows = [self.row_gap + self.extra.get(row, 0) for row in range(self.rows)]
        for cell in sorted(self.cells, key=lambda c: c.high):
            inner = sum(rows[cell.row + 1:cell.row + cell.high])
            short = cell.size()[1] - sum(heights[cell.row:cell.row + cell.high]) - inner
            if short > 0:
                heights[cell.row + cell.high - 1] += short
        margin = max([0.0, *(width(text, "") + 12 for _, text in self.edges)])
        xs, ys, x, y = [], [], 20 + margin, 20.0
        for column in range(self.columns):
            xs.append(x)
            x += widths[column] + gaps[column]
        for row in range(self.rows):
            y += self.extra[row]
            ys.append(y)
            y += heights[row] + self.row_gap
        for cell in self.cells:
            last, bottom = cell.column + cell.wide - 1, cell.row + cell.high - 1
            cell.x, cell.y = xs[cell.column], ys[cell.row]
            cell.w, cell.h = xs[last] + widths[last] - cell.x, ys[bottom] + heights[bottom] - cell.y
        self.xs, self.ys, self.heights = xs, ys, heights
        self.right = x - gaps[-1]
        self.bottom = y - self.row_gap
        detour = 26 if any(self.end(e)[1] == "r" and self.end(b)[1] == "r" for b, _, e, _ in self.arrows) else 0
        notes = [max(width(t, "what" if n else "") for n, t in enumerate(text)) + 44 for *_, text in self.sides]
        self.width = self.right + 20 + max([detour, *notes], default=0)
        self.height = self.bottom + 20

    def end(self, text: str) -> tuple[Cell, str, float]:
        """A cell, a side of it and a place there, from name.r0.3; the side may be left out."""
        name, _, rest = text.partition(".")
        cells = [cell for cell in self.cells if cell.name == name]
        if not cells:
            raise Mistake(f"{self.source.name}: there is no cell {name}")
        return cells[0], rest[:1], float(rest[1:] or 0.5)

    # ---- drawing

    def draw(self) -> list[str]:
        out = []
        if self.lanes:
            head = self.ys[1] - 6
            for x in self.xs:
                out.append(f'<path class="lane" d="M{x - 10:g} {head:g} V{self.bottom:g}"/>')
        for cell in self.cells:
            out += cell.draw()
        for row, text in self.edges:
            y = self.ys[0] if row == 0 else self.ys[row - 1] + self.heights[row - 1]
            out.append(write(16, y + 5, text))
        for begin, end, text in self.sides:
            top, bottom = self.named[begin].y, self.named[end].y + self.named[end].h
            out.append(f'<path class="line" d="M{self.right + 8:g} {top:g} h12 V{bottom:g} h-12"/>')
            middle = (top + bottom) / 2 - LINE * (len(text) - 1) / 2 + 5
            for n, line in enumerate(text):
                out.append(write(self.right + 32, middle + LINE * n, line, "what" if n else ""))
        for arrow in self.arrows:
            out += self.arrow(*arrow)
        return out

    def arrow(self, begin: str, kind: str, end: str, label: list[str]) -> list[str]:
        (a, out_side, out_at), (b, in_side, in_at) = self.end(begin), self.end(end)
        if not out_side:
            out_side = ("r" if a.column < b.column else "l") if a.row <= b.row < a.row + a.high else "b" if a.row < b.row else "t"
        if not in_side:
            in_side = {"r": "l", "l": "r", "b": "t", "t": "b"}[out_side]
        ax, ay = self.point(a, out_side, out_at)
        bx, by = self.point(b, in_side, in_at)
        if out_side in "tb" and in_side in "tb" and begin.count(".") == end.count(".") == 0:  # straight, where both are
            low, high = max(a.x, b.x), min(a.x + a.w, b.x + b.w)
            ax = bx = (low + high) / 2 if low < high else ax
            if low >= high:
                bx = b.x + b.w / 2
        if out_side in "lr" and in_side in "lr" and out_side != in_side and "." not in begin + end:
            ay = by = max(a.y, b.y) + min(a.h, b.h) / 2
        points, where = self.route((ax, ay), out_side, (bx, by), in_side)
        path = f"M{ax:g} {ay:g} " + " ".join(f"L{x:g} {y:g}" for x, y in points[1:])
        out = [f'<path class="line{" dots" if kind == ".>" else ""}" d="{path}"/>']
        if kind != "--":
            dx, dy = {"t": (0, -1), "b": (0, 1), "l": (-1, 0), "r": (1, 0)}[in_side]
            tip = [(bx, by), (bx + 9 * dx + 4 * dy, by + 9 * dy + 4 * dx), (bx + 9 * dx - 4 * dy, by + 9 * dy - 4 * dx)]
            out.append('<polygon class="tip" points="' + " ".join(f"{x:g},{y:g}" for x, y in tip) + '"/>')
        (x, y), flat = where
        for n, line in enumerate(label):
            if flat:
                out.append(write(x, y - 6 - LINE * (len(label) - 1 - n), line, "what", more=' text-anchor="middle"'))
            else:
                out.append(write(x + 7, y + 5 - LINE * ((len(label) - 1) / 2 - n), line, "what"))
        return out

    @staticmethod
    def point(cell: Cell, side: str, at: float) -> tuple[float, float]:
        if side in "tb":
            return cell.x + cell.w * at, cell.y + (cell.h if side == "b" else 0)
        return cell.x + (cell.w if side == "r" else 0), cell.y + cell.h * at

    def route(self, a, out_side, b, in_side):
        """The corners of a line from a to b, and the place of its label with whether the line is flat there."""
        (ax, ay), (bx, by) = a, b
        if out_side in "tb" and in_side in "tb":
            if abs(ax - bx) < 1:
                return [a, b], ((ax, (ay + by) / 2), False)
            if out_side == in_side:
                middle = min(ay, by) - 18 if out_side == "t" else max(ay, by) + 18
            else:
                middle = by - self.row_gap / 2 if by > ay else by + self.row_gap / 2
            return [a, (ax, middle), (bx, middle), b], (((ax + bx) / 2, middle), True)
        if out_side in "lr" and in_side in "lr":
            if out_side == in_side:
                x = max(ax, bx) + 18 if out_side == "r" else min(ax, bx) - 18
                return [a, (x, ay), (x, by), b], ((x, (ay + by) / 2), False)
            if abs(ay - by) < 1:
                return [a, b], (((ax + bx) / 2, ay), True)
            x = (ax + bx) / 2
            return [a, (x, ay), (x, by), b], ((x, (ay + by) / 2), False)
        if out_side in "lr":
            return [a, (bx, ay), b], (((ax + bx) / 2, ay), True)
        return [a, (ax, by), b], (((ax + bx) / 2, by), True)


def svg(w: float, h: float, title: str, style: str, parts: list[str]) -> str:
    w, h = round(w), round(h)
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img"',
        f'     aria-label="{escape(title)}">', f"  <title>{escape(title)}</title>", f"  <style>{style}", "  </style>",
        f'  <rect class="paper" x="0" y="0" width="{w}" height="{h}"/>', *("  " + part for part in parts), "</svg>", ""])


def from_drawing(source: Path) -> str:
    drawing = Drawing(source)
    return svg(drawing.width, drawing.height, drawing.title, STYLE, drawing.parts)


CONSOLE = f"""
    .paper {{ fill: #14191f; }} .bar {{ fill: #2b3440; }} text {{ font-family: {MONO}; font-size: 13px; fill: #d5dde5; white-space: pre; }}
    .typed {{ fill: #8fd694; }} .bar-text {{ font-family: {SANS}; font-size: 12px; fill: #a9b8c6; }}
    @media (prefers-color-scheme: dark) {{ .paper {{ fill: #0d1117; }} }}"""


def from_console(source: Path) -> str:
    """A console as it was: what was typed behind a prompt is green."""
    title, lines = "", []
    for line in source.read_text().splitlines():
        if line.startswith("#:"):
            title = title or line[2:].strip()
        else:
            lines.append(line)
    wide = 24 + 7.83 * max(map(len, lines))
    parts = [f'<rect class="bar" x="0" y="0" width="{wide:g}" height="24"/>', write(12, 16, title, "bar-text")]
    for n, line in enumerate(lines):
        y, prompt = 44 + 17 * n, re.match(r"\S*[$#] (?=\S)", line)
        if prompt:
            parts.append(write(12, y, prompt[0]))
            parts.append(write(12 + len(prompt[0]) * 7.83, y, line[prompt.end():], "typed"))
        elif line:
            parts.append(write(12, y, line))
    return svg(wide, 44 + 17 * len(lines), title, CONSOLE, parts)


MAKERS = {".draw": from_drawing, ".console": from_console}


def sources() -> list[Path]:
    return sorted(path for path in SOURCES.iterdir() if path.suffix in MAKERS)
