"""What a panel shows: each function draws one scene over the whole of its canvas."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

from canvas import WHITE, Canvas, ellipse, rectangle, smooth
from palette import FINEST_LINES_PX, Palette
from people import cat, face, figure

Scene = Callable[[Canvas, random.Random, Palette], None]


def portrait(canvas: Canvas, rng: random.Random, palette: Palette) -> None:
    """A face close by, before a plain, toned or graded ground."""
    w, h = canvas.width, canvas.height
    if rng.random() < 0.7:
        palette.sky(canvas, rectangle(0, 0, w, h))
    size = min(h * rng.uniform(0.3, 0.5), w * rng.uniform(0.32, 0.6))
    face(canvas, rng, palette, (w * rng.uniform(0.35, 0.65), h * 0.95 - size * rng.uniform(1.0, 1.5)), size)


def city(canvas: Canvas, rng: random.Random, palette: Palette) -> None:
    """Rows of houses with windows, roofs and aerials under a sky."""
    w, h = canvas.width, canvas.height
    palette.sky(canvas, rectangle(0, 0, w, h))
    radius = h * rng.uniform(0.06, 0.12)
    canvas.shape(ellipse((w * rng.uniform(0.1, 0.9), h * 0.2), radius, radius), WHITE, palette.ink, canvas.pen * 0.7)
    _clouds(canvas, rng, palette)
    for row in range(2):
        x = -rng.uniform(0, 0.1) * w
        while x < w:
            wide = rng.uniform(0.1, 0.24) * max(h, w * 0.6)
            top = h * (rng.uniform(0.25, 0.55) + 0.22 * row)
            _house(canvas, rng, palette, x, top, x + wide, h * 1.02)
            x += wide * rng.uniform(0.9, 1.05)
    if rng.random() < 0.6:
        figure(canvas, rng, palette, (w * rng.uniform(0.2, 0.8), h * 0.97), h * rng.uniform(0.35, 0.55))


def _house(
    canvas: Canvas, rng: random.Random, palette: Palette, left: float, top: float, right: float, bottom: float
) -> None:
    wall = rectangle(left, top, right, bottom)
    plain = rng.random() < 0.5
    if plain:
        canvas.fill(wall, palette.any(0.35, 0.9) if palette.colour else WHITE)
    else:
        palette.cover(canvas, wall)
    canvas.outline(wall, palette.ink)
    wide = right - left
    if rng.random() < 0.5:
        roof = [
            (left - wide * 0.06, top),
            (left + wide * 0.5, top - wide * rng.uniform(0.2, 0.5)),
            (right + wide * 0.06, top),
        ]
        palette.cover(canvas, roof, rng.choice(["dark", ""]))
        canvas.outline(roof, palette.ink)
    else:
        x = rng.uniform(left, right)
        canvas.stroke([(x, top), (x, top - wide * 0.5)], palette.ink, canvas.pen * 0.6)
        canvas.stroke(
            [(x - wide * 0.1, top - wide * 0.4), (x + wide * 0.1, top - wide * 0.4)], palette.ink, canvas.pen * 0.6
        )
    columns = rng.randint(2, 5)
    pane = wide / (columns * 1.6 + 0.6)
    lit = palette.mix(0.14, 0.6, 1.0)
    for row in range(int((bottom - top) / (pane * 2.1))):
        for column in range(columns):
            x, y = left + pane * (0.6 + 1.6 * column), top + pane * (0.8 + 2.1 * row)
            inside = palette.ink if rng.random() < 0.3 else (lit if rng.random() < 0.5 else WHITE)
            canvas.shape(rectangle(x, y, x + pane, y + pane * 1.3), inside, palette.ink, canvas.pen * 0.6)
    if plain and not palette.colour:
        shade = rectangle(left + wide * 0.8, top, right, bottom)
        canvas.hatch(shade, palette.ink, gap=FINEST_LINES_PX, angle=0.9, width=canvas.pen * 0.4)


def _clouds(canvas: Canvas, rng: random.Random, palette: Palette) -> None:
    for _ in range(rng.randint(1, 4)):
        x, y, size = (
            rng.uniform(0, canvas.width),
            rng.uniform(0.05, 0.3) * canvas.height,
            canvas.height * rng.uniform(0.03, 0.07),
        )
        bumps = [
            ((x + size * 1.1 * (i - 2)), y - size * rng.uniform(0, 0.6), size * rng.uniform(0.8, 1.3)) for i in range(5)
        ]
        for bx, by, radius in bumps:
            canvas.outline(ellipse((bx, by), radius, radius), palette.ink, canvas.pen * 0.8)
        for bx, by, radius in bumps:
            canvas.fill(ellipse((bx, by), radius, radius), WHITE)


def hills(canvas: Canvas, rng: random.Random, palette: Palette) -> None:
    """Hills one behind the other, trees, grass, perhaps a walker."""
    w, h = canvas.width, canvas.height
    palette.sky(canvas, rectangle(0, 0, w, h))
    _clouds(canvas, rng, palette)
    for layer in range(3):
        base = h * (0.45 + 0.17 * layer)
        line = smooth([(w * i / 5 - w * 0.05, base + h * rng.uniform(-0.09, 0.09)) for i in range(7)])
        ground = [*line, (w * 1.3, h * 1.1), (-w * 0.1, h * 1.1)]
        if palette.colour:
            canvas.fill(ground, palette.mix(0.25 + 0.04 * layer, 0.35 + 0.12 * layer, 0.9 - 0.15 * layer))
        else:
            palette.cover(canvas, ground, rng.choice(["light", ""]))
        canvas.stroke(line, palette.ink)
        for _ in range(rng.randint(1, 3)):
            x, y = rng.choice(line)
            _tree(canvas, rng, palette, x, y + h * 0.03, h * (0.12 + 0.08 * layer))
    for _ in range(int(w / 7)):
        x, y = rng.uniform(0, w), h * rng.uniform(0.84, 1.0)
        canvas.stroke(
            smooth([(x, y), (x + 2, y - h * 0.03), (x + rng.uniform(-8, 8), y - h * 0.06)]),
            palette.ink,
            canvas.pen * 0.8,
            "out",
        )
    if rng.random() < 0.6:
        figure(canvas, rng, palette, (w * rng.uniform(0.2, 0.8), h * 0.97), h * rng.uniform(0.3, 0.5))


def _tree(canvas: Canvas, rng: random.Random, palette: Palette, x: float, y: float, size: float) -> None:
    trunk = [
        (x - size * 0.07, y),
        (x - size * 0.04, y - size * 0.6),
        (x + size * 0.04, y - size * 0.6),
        (x + size * 0.08, y),
    ]
    canvas.shape(trunk, palette.mix(0.07, 0.5, 0.45), palette.ink)
    count = 22
    crown = []
    for i in range(count):
        far = size * (0.42 if i % 2 else 0.34) * rng.uniform(0.92, 1.08)
        angle = 2 * math.pi * i / count
        crown.append((x + far * math.cos(angle), y - size * 0.85 + far * math.sin(angle)))
    crown = smooth(crown, closed=True, steps=4)
    if palette.colour:
        canvas.gradient(crown, palette.mix(0.3, 0.5, 0.75), palette.mix(0.36, 0.6, 0.4))
    else:
        palette.cover(canvas, crown)
    canvas.outline(crown, palette.ink)


def rush(canvas: Canvas, rng: random.Random, palette: Palette) -> None:
    """Speed lines towards one point, and a runner."""
    w, h = canvas.width, canvas.height
    if palette.colour:
        canvas.gradient(rectangle(0, 0, w, h), palette.any(0.7, 0.95), palette.any(0.4, 1.0))
    focus, reach = (w * rng.uniform(0.35, 0.65), h * rng.uniform(0.4, 0.6)), math.hypot(w, h)
    for _ in range(rng.randint(70, 140)):
        angle, start = rng.uniform(0, 2 * math.pi), rng.uniform(0.28, 0.45)
        side = rng.uniform(0.004, 0.02)
        tip = (focus[0] + w * start * math.cos(angle), focus[1] + h * start * math.sin(angle))
        wedge = [tip] + [
            (focus[0] + reach * math.cos(angle + s), focus[1] + reach * math.sin(angle + s)) for s in (-side, side)
        ]
        canvas.fill(wedge, palette.ink)
    figure(canvas, rng, palette, (focus[0], min(h * 0.98, focus[1] + h * 0.42)), h * rng.uniform(0.6, 0.85))


def room(canvas: Canvas, rng: random.Random, palette: Palette) -> None:
    """A room in perspective: floor boards, a window, a shelf of books, a cat."""
    w, h = canvas.width, canvas.height
    back = (w * 0.2, h * 0.15, w * 0.8, h * 0.62)
    palette.cover(canvas, rectangle(*back), "light")
    floor = [(back[0], back[3]), (back[2], back[3]), (w, h), (0, h)]
    canvas.fill(floor, palette.mix(0.08, 0.45, 0.75) if palette.colour else WHITE)
    boards = rng.randint(6, 11)
    for i in range(boards + 1):
        canvas.stroke(
            [(back[0] + (back[2] - back[0]) * i / boards, back[3]), (w * i / boards, h)], palette.ink, canvas.pen * 0.6
        )
    for far, near in zip(rectangle(*back), rectangle(0, 0, w, h), strict=True):
        canvas.stroke([far, near], palette.ink)
    canvas.outline(rectangle(*back), palette.ink)
    _window(canvas, palette)
    _shelves(canvas, rng, palette)
    cat(canvas, rng, palette, (w * rng.uniform(0.3, 0.7), h * 0.62), min(w, h) * rng.uniform(0.08, 0.12))


def _window(canvas: Canvas, palette: Palette) -> None:
    w, h = canvas.width, canvas.height
    left, top = w * 0.27, h * 0.2
    right, bottom = left + w * 0.18, top + h * 0.27
    middle_x, middle_y = left + w * 0.09, top + h * 0.13
    pane = rectangle(left, top, right, bottom)
    palette.sky(canvas, pane)
    canvas.outline(pane, palette.ink, canvas.pen * 2)
    canvas.stroke([(middle_x, top), (middle_x, bottom)], palette.ink, canvas.pen * 1.5)
    canvas.stroke([(left, middle_y), (right, middle_y)], palette.ink, canvas.pen * 1.5)


def _shelves(canvas: Canvas, rng: random.Random, palette: Palette) -> None:
    w, h = canvas.width, canvas.height
    for row in range(3):
        x, y = w * 0.53, h * (0.27 + 0.12 * row)
        while x < w * 0.74:
            wide, high = rng.uniform(0.008, 0.022) * w, h * rng.uniform(0.06, 0.09)
            back = palette.any() if palette.colour else rng.choice([WHITE, palette.ink, (180, 180, 180)])
            canvas.shape(rectangle(x, y - high, x + wide, y), back, palette.ink, canvas.pen * 0.6)
            x += wide
        canvas.stroke([(w * 0.52, y), (w * 0.77, y)], palette.ink, canvas.pen * 2)


SCENES: list[Scene] = [portrait, portrait, city, hills, rush, room]
