"""A plot as SVG: lines, bands, marks and bars on two axes.

Colours, dashes and type come from the page's style sheet, by class, so that one drawing serves
dark, light and print. Built as a tree, which escapes every text that is put into it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element, SubElement, tostring

from bench.reports.axes import Axis

WIDTH, HEIGHT = 460.0, 330.0
LEFT, RIGHT, TOP, BOTTOM = 64.0, 14.0, 12.0, 46.0
STYLES = 8
"""Styles that can be told apart, by colour, dash and mark."""
MARKS = (
    "M-4,0A4,4 0 1 0 4,0A4,4 0 1 0 -4,0Z",
    "M-3.6,-3.6H3.6V3.6H-3.6Z",
    "M0,-4.8L4.6,3.6H-4.6Z",
    "M0,-5L5,0L0,5L-5,0Z",
    "M0,4.8L4.6,-3.6H-4.6Z",
    "M-1.5,-4.5H1.5V-1.5H4.5V1.5H1.5V4.5H-1.5V1.5H-4.5V-1.5H-1.5Z",
    "M0,-5L4.7,-1.5L2.9,4H-2.9L-4.7,-1.5Z",
    "M-4.5,-2H4.5V2H-4.5Z",
)
Point = tuple[float, float]


def shape(style: int) -> str:
    """The mark of a style, as the steps of a path; where colours come round again, another one."""
    return MARKS[(style + style // STYLES) % len(MARKS)]


class Chart:
    """An empty plot; methods draw on it in order, `svg` gives the text."""

    def __init__(self, x: Axis, y: Axis) -> None:
        self.x, self.y = x, y
        self.root = Element("svg", {"viewBox": f"0 0 {WIDTH:g} {HEIGHT:g}", "class": "plot"})
        self._frame()

    def svg(self) -> str:
        return tostring(self.root, encoding="unicode")

    def line(self, points: Iterable[Point], style: int) -> None:
        """A curve through the points."""
        self._path(self._through(points), f"line s{style % STYLES}")

    def dashed(self, points: Iterable[Point]) -> None:
        """A quiet line beside which others are read."""
        self._path(self._through(points), "beside")

    def band(self, points: Sequence[tuple[float, float, float]], style: int) -> None:
        """The area between the lows and highs of (x, low, high)."""
        there = [(x, high) for x, _, high in points]
        back = [(x, low) for x, low, _ in reversed(points)]
        self._path(self._through([*there, *back]) + "Z", f"band s{style % STYLES}")

    def area(self, points: Iterable[Point], style: int) -> None:
        """A shape under an outline of its own."""
        self._path(self._through(points), f"area s{style % STYLES}")

    def whiskers(self, at: Point, x: Sequence[float], y: Sequence[float], style: int) -> None:
        """An interval in either direction, each (low, high) or empty."""
        steps = [self._through([(end, at[1]) for end in x]) if x else ""]
        steps += [self._through([(at[0], end) for end in y]) if y else ""]
        self._path("".join(steps), f"whisker s{style % STYLES}")

    def mark(self, at: Point, style: int, tip: str, *, hollow: bool = False) -> None:
        """A point whose values are told where the pointer rests."""
        across, up = self._at(at)
        kind = f"mark s{style % STYLES}" + (" hollow" if hollow else "")
        about = {"class": kind, "transform": f"translate({across:.1f},{up:.1f})", "data-tip": tip}
        SubElement(self.root, "path", {"d": shape(style), **about})

    def touch(self, at: Point, tip: str) -> None:
        """A place that tells its values and shows nothing."""
        across, up = self._at(at)
        SubElement(
            self.root,
            "circle",
            {"cx": f"{across:.1f}", "cy": f"{up:.1f}", "r": "7", "class": "touch", "data-tip": tip},
        )

    def upright(self, value: float, label: str) -> None:
        """A vertical line with a word at its top."""
        self._path(self._through([(value, self.y.low), (value, self.y.high)]), "beside")
        right = self.x.place(value) > 0.6
        across = self._at((value, self.y.high))[0]
        self._text(label, across + (-5 if right else 5), TOP + 12, "end" if right else "start")

    def _at(self, point: Point) -> Point:
        inner = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
        across, up = self.x.place(point[0]), self.y.place(point[1])
        return LEFT + across * inner[0], HEIGHT - BOTTOM - up * inner[1]

    def _through(self, points: Iterable[Point]) -> str:
        return "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in map(self._at, points))

    def _path(self, steps: str, kind: str) -> None:
        SubElement(self.root, "path", {"d": steps, "class": kind})

    def _text(self, text: str, x: float, y: float, anchor: str, kind: str = "") -> Element:
        about = {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor}
        found = SubElement(self.root, "text", about | ({"class": kind} if kind else {}))
        found.text = text
        return found

    def _frame(self) -> None:
        """Ticks with their grid, and what the axes are."""
        steps, base = "", HEIGHT - BOTTOM
        for value, text in self.x.ticks():
            across = self._at((value, self.y.low))[0]
            steps += f"M{across:.1f},{TOP:g}V{base:g}"
            self._text(text, across, base + 17, "middle")
        for value, text in self.y.ticks():
            up = self._at((self.x.low, value))[1]
            steps += f"M{LEFT:g},{up:.1f}H{WIDTH - RIGHT:g}"
            self._text(text, LEFT - 7, up + 4, "end")
        self._path(steps, "grid")
        self._path(f"M{LEFT:g},{TOP:g}V{base:g}H{WIDTH - RIGHT:g}", "axis")
        middle = (LEFT + WIDTH - RIGHT) / 2, (TOP + base) / 2
        self._text(self.x.label, middle[0], HEIGHT - 8, "middle", "label")
        turned = self._text(self.y.label, 0, 0, "middle", "label")
        turned.set("transform", f"translate(13,{middle[1]:.1f}) rotate(-90)")
