"""A supersampled sheet to draw on: fills, strokes of varying width, hatching, screentone, gradients.

Coordinates and widths are in pixels of the finished picture; the sheet itself is SUPERSAMPLE times larger each way and
is averaged down at the end, which is all the anti-aliasing there is. Colours are RGB triples; a grey sheet takes their
luma. All points are rounded to whole pixels of the large sheet before Pillow sees them, so that a picture does not
depend on how Pillow rounds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image, ImageChops, ImageDraw

Point = tuple[float, float]
Colour = tuple[int, int, int]
SUPERSAMPLE = 4
WHITE: Colour = (255, 255, 255)


def smooth(points: Sequence[Point], closed: bool = False, steps: int = 8) -> list[Point]:
    """A Catmull-Rom curve through `points`, `steps` pieces between each two."""
    at = np.asarray(points, np.float64)
    padded = np.vstack([at[-1:], at, at[:2]]) if closed else np.vstack([at[:1], at, at[-1:]])
    t = (np.arange(steps) / steps)[:, None]
    pieces = []
    for i in range(len(padded) - 3):
        a, b, c, d = padded[i : i + 4]
        pieces.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3))
    if not closed:
        pieces.append(at[-1:])
    return [(float(x), float(y)) for x, y in np.concatenate(pieces)]


def ellipse(centre: Point, rx: float, ry: float, turn: float = 0.0, steps: int = 40) -> list[Point]:
    """Points around an ellipse, turned by `turn` radians."""
    c, s = math.cos(turn), math.sin(turn)
    around = [2 * math.pi * i / steps for i in range(steps)]
    return [
        (
            centre[0] + rx * math.cos(a) * c - ry * math.sin(a) * s,
            centre[1] + rx * math.cos(a) * s + ry * math.sin(a) * c,
        )
        for a in around
    ]


def rectangle(left: float, top: float, right: float, bottom: float) -> list[Point]:
    """The corners of a rectangle, clockwise."""
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


class Canvas:
    """One picture being drawn. `pen` is the usual stroke width, in pixels of the finished picture."""

    def __init__(self, width: int, height: int, *, colour: bool, pen: float, paper: Colour = WHITE) -> None:
        self.width, self.height, self.pen = width, height, pen
        self.mode = "RGB" if colour else "L"
        self.sheet = Image.new(self.mode, (width * SUPERSAMPLE, height * SUPERSAMPLE), self._ink(paper))
        self._draw = ImageDraw.Draw(self.sheet)

    def finished(self) -> Image.Image:
        """The picture at its own size."""
        return self.sheet.reduce(SUPERSAMPLE)

    def fill(self, shape: Sequence[Point], colour: Colour) -> None:
        """Paints the inside of a polygon."""
        self._draw.polygon(_large(shape), fill=self._ink(colour))

    def stroke(self, path: Sequence[Point], colour: Colour, width: float | None = None, taper: str = "") -> None:
        """Draws a round line along `path`. `taper` may hold "in" (thin start), "out" (thin end) or both."""
        _stroke(self._draw, path, self._ink(colour), self.pen if width is None else width, taper)

    def outline(self, shape: Sequence[Point], colour: Colour, width: float | None = None) -> None:
        """Draws a round line around a polygon."""
        self.stroke([*shape, shape[0]], colour, width)

    def shape(self, shape: Sequence[Point], inside: Colour, line: Colour, width: float | None = None) -> None:
        """A filled polygon with an outline."""
        self.fill(shape, inside)
        self.outline(shape, line, width)

    def hatch(self, shape: Sequence[Point], colour: Colour, *, gap: float, angle: float, width: float) -> None:
        """Covers a polygon with parallel lines `gap` pixels apart."""
        lines = Image.new("L", self.sheet.size, 0)
        draw = ImageDraw.Draw(lines)
        (left, top, right, bottom), along = _bounds(shape), (math.cos(angle), math.sin(angle))
        middle, reach = ((left + right) / 2, (top + bottom) / 2), math.hypot(right - left, bottom - top) / 2
        for i in range(int(-reach / gap), int(reach / gap) + 1):
            x, y = middle[0] - along[1] * i * gap, middle[1] + along[0] * i * gap
            ends = [(x - along[0] * reach, y - along[1] * reach), (x + along[0] * reach, y + along[1] * reach)]
            _stroke(draw, ends, 255, width, "")
        self.sheet.paste(self._ink(colour), (0, 0), ImageChops.multiply(lines, self._mask(shape)))

    def screentone(
        self, shape: Sequence[Point], colour: Colour, *, pitch: float, ink: float, fade: float = 0.0
    ) -> None:
        """Covers a polygon with dots on a lattice at 45 degrees. `ink` is the share of paper covered at the top of the
        shape, and `fade` is added to it towards the bottom."""
        box = self._box(shape)
        if box is None:
            return
        left, top, right, bottom = box
        y, x = np.mgrid[top:bottom, left:right].astype(np.float32) / np.float32(SUPERSAMPLE * pitch)
        u, v = (x + y) * np.float32(math.sqrt(0.5)), (x - y) * np.float32(math.sqrt(0.5))
        distance = (u - np.rint(u)) ** 2 + (v - np.rint(v)) ** 2
        share = np.clip(ink + fade * np.linspace(0, 1, bottom - top, dtype=np.float32), 0, 0.75)[:, None]
        dots = Image.fromarray(np.where(distance < share / np.float32(math.pi), 255, 0).astype(np.uint8))
        self.sheet.paste(self._ink(colour), box, ImageChops.multiply(dots, self._mask(shape).crop(box)))

    def gradient(self, shape: Sequence[Point], top: Colour, bottom: Colour) -> None:
        """Fills a polygon with colours running from `top` to `bottom`."""
        box = self._box(shape)
        if box is None:
            return
        t = np.linspace(0, 1, box[3] - box[1])[:, None]
        column = np.rint(np.array(top) * (1 - t) + np.array(bottom) * t).astype(np.uint8)[:, None]
        ramp = (
            Image.fromarray(column)
            .convert(self.mode)
            .resize((box[2] - box[0], box[3] - box[1]), Image.Resampling.NEAREST)
        )
        self.sheet.paste(ramp, box, self._mask(shape).crop(box))

    def place(self, other: Canvas, at: tuple[int, int], shape: Sequence[Point]) -> None:
        """Puts another canvas with its top left corner at `at`, cut to `shape` (in this canvas)."""
        box = (at[0] * SUPERSAMPLE, at[1] * SUPERSAMPLE)
        area = (*box, box[0] + other.sheet.width, box[1] + other.sheet.height)
        self.sheet.paste(other.sheet, box, self._mask(shape).crop(area))

    def _ink(self, colour: Colour) -> Colour | int:
        if self.mode == "RGB":
            return colour
        return (299 * colour[0] + 587 * colour[1] + 114 * colour[2] + 500) // 1000

    def _mask(self, shape: Sequence[Point]) -> Image.Image:
        mask = Image.new("L", self.sheet.size, 0)
        ImageDraw.Draw(mask).polygon(_large(shape), fill=255)
        return mask

    def _box(self, shape: Sequence[Point]) -> tuple[int, int, int, int] | None:
        """The part of the large sheet that a shape touches; None if it lies outside."""
        left, top, right, bottom = (round(v * SUPERSAMPLE) for v in _bounds(shape))
        left, top = max(0, left), max(0, top)
        right, bottom = min(self.sheet.width, right + 1), min(self.sheet.height, bottom + 1)
        return (left, top, right, bottom) if left < right and top < bottom else None


def _large(points: Iterable[Point]) -> list[tuple[int, int]]:
    return [(round(x * SUPERSAMPLE), round(y * SUPERSAMPLE)) for x, y in points]


def _bounds(points: Sequence[Point]) -> tuple[float, float, float, float]:
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    return min(xs), min(ys), max(xs), max(ys)


def _stroke(draw: ImageDraw.ImageDraw, path: Sequence[Point], ink: Colour | int, width: float, taper: str) -> None:
    """A line as one four-sided piece between each two points and a disc on each: no miters, no holes at sharp turns."""
    count = len(path)
    for i, (x, y) in enumerate(path):
        radius = _half_width(i / max(1, count - 1), width, taper)
        disc = [round((v + r) * SUPERSAMPLE) for r in (-radius, radius) for v in (x, y)]
        draw.ellipse((disc[0], disc[1], max(disc[0], disc[2] - 1), max(disc[1], disc[3] - 1)), fill=ink)
        if i + 1 == count:
            break
        x2, y2 = path[i + 1]
        length = math.hypot(x2 - x, y2 - y)
        if length == 0:
            continue
        nx, ny = (y - y2) / length, (x2 - x) / length
        end = _half_width((i + 1) / (count - 1), width, taper)
        piece = [
            (x + nx * radius, y + ny * radius),
            (x2 + nx * end, y2 + ny * end),
            (x2 - nx * end, y2 - ny * end),
            (x - nx * radius, y - ny * radius),
        ]
        draw.polygon(_large(piece), fill=ink)


def _half_width(t: float, width: float, taper: str) -> float:
    thin = 1.0
    if "in" in taper:
        thin = min(thin, 0.2 + 1.6 * t)
    if "out" in taper:
        thin = min(thin, 0.2 + 1.6 * (1 - t))
    return max(width * thin / 2, 0.5 / SUPERSAMPLE)
