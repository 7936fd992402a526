"""Faces and figures: a head seen close by, a whole person, a cat."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

from canvas import WHITE, Canvas, Colour, Point, ellipse, smooth
from palette import Palette, darker

Axes = Callable[[float, float], Point]  # from a head's own axes (1 = half its height) to the canvas


def face(canvas: Canvas, rng: random.Random, palette: Palette, centre: Point, size: float) -> None:
    """A head and shoulders; `size` is half the height of the head, in pixels."""
    ink, turn = palette.ink, rng.uniform(-0.25, 0.25)
    pen = max(canvas.pen, size * 0.02)

    def at(x: float, y: float) -> Point:
        return (
            centre[0] + size * (x * math.cos(turn) - y * math.sin(turn)),
            centre[1] + size * (x * math.sin(turn) + y * math.cos(turn)),
        )

    hair_kind, hair = rng.choice(["dark", "", "light"]), palette.any(0.7, rng.choice([0.3, 0.5, 0.9]))
    long_hair = rng.random() < 0.5
    low = rng.uniform(1.2, 1.9) if long_hair else 0.35
    back = smooth(
        [
            at(-0.2, -1.12),
            at(-0.95, -0.6),
            at(-1.02, low * 0.6),
            at(-0.85, low),
            at(0.85, low),
            at(1.02, low * 0.6),
            at(0.95, -0.6),
            at(0.2, -1.12),
        ],
        closed=True,
    )
    palette.cover(canvas, back, hair_kind, darker(hair, 0.7))
    canvas.outline(back, ink, pen)

    _shoulders(canvas, rng, palette, at, pen)
    jaw = rng.uniform(0.32, 0.5)
    head = smooth(
        [
            at(0, -1),
            at(-0.62, -0.75),
            at(-0.8, -0.1),
            at(-0.68, 0.45),
            at(-jaw, 0.8),
            at(0, 1.0),
            at(jaw, 0.8),
            at(0.68, 0.45),
            at(0.8, -0.1),
            at(0.62, -0.75),
        ],
        closed=True,
    )
    skin = palette.skin if palette.colour else WHITE
    canvas.shape(head, skin, ink, pen)
    eyes = palette.any(0.7, 0.9)
    for side in (-1, 1):
        _eye(canvas, rng, palette, at, side, size, eyes)
        brow = smooth(
            [
                at(side * 0.16, rng.uniform(-0.3, -0.16)),
                at(side * 0.38, -0.33),
                at(side * 0.62, rng.uniform(-0.3, -0.18)),
            ]
        )
        canvas.stroke(brow, ink, pen * 2.2, "out")
        if rng.random() < 0.5:
            for i in range(4):
                x = side * (0.34 + 0.07 * i)
                canvas.stroke([at(x, 0.36), at(x - 0.06, 0.46)], ink, pen * 0.5)
    canvas.stroke(smooth([at(0.03, 0.2), at(0.1, 0.36), at(0.0, 0.4)]), ink, pen * 0.9, "in out")
    _mouth(canvas, rng, palette, at, pen)
    palette.cover(canvas, fringe := _fringe(rng, at), hair_kind, hair)
    canvas.outline(fringe, ink, pen * 1.2)
    for _ in range(rng.randint(5, 12)):
        x = rng.uniform(-0.75, 0.75)
        strand = smooth([at(x * 0.55, -1.1), at(x * 0.9, -0.85), at(x, -0.55)])
        canvas.stroke(strand, WHITE if hair_kind == "dark" and not palette.colour else ink, pen * 0.6, "in out")


def _shoulders(canvas: Canvas, rng: random.Random, palette: Palette, at: Axes, pen: float) -> None:
    neck = [at(-0.28, 0.6), at(-0.3, 1.25), at(0.3, 1.25), at(0.28, 0.6)]
    canvas.shape(neck, palette.skin if palette.colour else WHITE, palette.ink, pen)
    body = smooth(
        [at(-0.3, 1.15), at(-1.1, 1.5), at(-1.4, 2.9), at(1.4, 2.9), at(1.1, 1.5), at(0.3, 1.15)], closed=True
    )
    palette.cover(canvas, body)
    canvas.outline(body, palette.ink, pen)
    canvas.stroke([at(-0.32, 1.15), at(0, 1.65), at(0.32, 1.15)], palette.ink, pen * 1.4)
    if rng.random() < 0.6:
        for i in range(3):
            canvas.shape(ellipse(at(0.02, 1.85 + 0.3 * i), pen * 2, pen * 2), WHITE, palette.ink, pen * 0.6)


def _eye(canvas: Canvas, rng: random.Random, palette: Palette, at: Axes, side: int, size: float, tint: Colour) -> None:
    pen = max(canvas.pen, size * 0.02)
    x, y, wide = side * 0.38, 0.06, 0.19
    if rng.random() < 0.12:
        canvas.stroke(smooth([at(x - wide, y), at(x, y + 0.09), at(x + wide, y)]), palette.ink, pen * 2, "in out")
        return
    white = smooth(
        [
            at(x - wide, y + 0.02),
            at(x - 0.1, y - 0.17),
            at(x + 0.1, y - 0.17),
            at(x + wide, y + 0.02),
            at(x + 0.08, y + 0.2),
            at(x - 0.08, y + 0.2),
        ],
        closed=True,
    )
    canvas.fill(white, WHITE)
    iris = ellipse(at(x, y + 0.02), size * 0.125, size * 0.18)
    if palette.colour:
        canvas.gradient(iris, palette.mix(0.6, 0.8, 0.3), tint)
    else:
        canvas.gradient(iris, palette.ink, (150, 150, 150))
    canvas.outline(iris, palette.ink, pen * 0.7)
    canvas.fill(ellipse(at(x, y + 0.02), size * 0.055, size * 0.09), palette.ink)
    canvas.fill(ellipse(at(x - 0.05, y - 0.08), size * 0.045, size * 0.055), WHITE)
    canvas.fill(ellipse(at(x + 0.05, y + 0.1), size * 0.025, size * 0.025), WHITE)
    lash = smooth(
        [
            at(x - side * wide, y - 0.02),
            at(x - side * 0.09, y - 0.17),
            at(x + side * 0.1, y - 0.17),
            at(x + side * (wide + 0.05), y + 0.03),
        ]
    )
    canvas.stroke(lash, palette.ink, pen * 3, "in out")
    canvas.stroke(smooth([at(x - 0.1, y + 0.21), at(x, y + 0.23), at(x + 0.1, y + 0.21)]), palette.ink, pen * 0.7)


def _mouth(canvas: Canvas, rng: random.Random, palette: Palette, at: Axes, pen: float) -> None:
    kind = rng.choice(["smile", "open", "flat", "small"])
    if kind == "open":
        shape = smooth([at(-0.2, 0.6), at(0, 0.57), at(0.2, 0.6), at(0, 0.82)], closed=True)
        canvas.shape(shape, (170, 60, 60) if palette.colour else (90, 90, 90), palette.ink, pen)
        return
    bend = {"smile": 0.1, "flat": 0.0, "small": -0.04}[kind]
    half = 0.1 if kind == "small" else 0.22
    canvas.stroke(smooth([at(-half, 0.64), at(0, 0.64 + bend), at(half, 0.62)]), palette.ink, pen * 1.3, "in out")


def _fringe(rng: random.Random, at: Axes) -> list[Point]:
    """The hair over the forehead: pointed locks below, the crown above."""
    count = rng.randint(4, 7)
    points = [at(-0.9, -0.05)]
    for i in range(count):
        x = -0.82 + 1.64 * (i + 0.5) / count
        points.append(at(x - 0.5 / count, -0.52))
        points.append(at(x + rng.uniform(-0.1, 0.1), rng.uniform(-0.36, 0.02)))
    points.append(at(0.82, -0.5))
    crown = [(0.9, -0.05), (0.93, -0.55), (0.55, -1.08), (0, -1.2), (-0.55, -1.08), (-0.93, -0.55)]
    return points + smooth([at(x, y) for x, y in crown], steps=6)


def figure(canvas: Canvas, rng: random.Random, palette: Palette, feet: Point, height: float) -> None:
    """A whole person standing, walking or running; `feet` is the middle of the ground they stand on."""
    ink, unit = palette.ink, height / 7.5
    stride, lean = rng.uniform(0.2, 1.7), rng.uniform(-0.3, 0.6)
    hip = (feet[0], feet[1] - 3.6 * unit)
    neck = (hip[0] + lean * unit, hip[1] - 2.5 * unit)
    cloth, trousers = palette.any(), palette.any(0.5, 0.45)
    skin = palette.skin if palette.colour else WHITE
    legs = [
        (
            (hip[0] + s * stride * 0.9 * unit, hip[1] + 1.7 * unit),
            (hip[0] + s * stride * unit * 1.3 - 0.3 * unit, feet[1]),
        )
        for s in (1, -1)
    ]
    arms = [
        (
            (neck[0] + s * rng.uniform(0.6, 1.1) * unit, neck[1] + 1.4 * unit),
            (neck[0] + s * rng.uniform(0.3, 1.6) * unit, neck[1] + rng.uniform(0.2, 2.6) * unit),
        )
        for s in (1, -1)
    ]
    shoulder = (neck[0], neck[1] + 0.45 * unit)
    for leg in legs:
        _limb(canvas, palette, [hip, *leg], trousers if palette.colour else (60, 60, 60), unit * 0.62)
    _limb(canvas, palette, [shoulder, *arms[0]], skin, unit * 0.62)
    torso = smooth(
        [
            (neck[0] - 0.75 * unit, neck[1] + 0.4 * unit),
            (hip[0] - 0.5 * unit, hip[1]),
            (hip[0] + 0.55 * unit, hip[1]),
            (neck[0] + 0.75 * unit, neck[1] + 0.4 * unit),
            (neck[0], neck[1] + 0.15 * unit),
        ],
        closed=True,
    )
    if palette.colour:
        canvas.fill(torso, cloth)
    else:
        palette.cover(canvas, torso)
    canvas.outline(torso, ink)
    _limb(canvas, palette, [shoulder, *arms[1]], cloth if palette.colour else WHITE, unit * 0.55)
    _far_head(canvas, palette, (neck[0] + 0.15 * unit, neck[1] - 0.45 * unit), unit)


def _limb(canvas: Canvas, palette: Palette, path: list[Point], colour: Colour, width: float) -> None:
    canvas.stroke(path, palette.ink, width)
    canvas.stroke(path, colour, width - 2 * canvas.pen)


def _far_head(canvas: Canvas, palette: Palette, head: Point, unit: float) -> None:
    """The head of a figure: seen from too far for more than hair, two dots and a mouth."""
    ink, skin = palette.ink, palette.skin if palette.colour else WHITE
    canvas.shape(ellipse(head, unit * 0.48, unit * 0.58), skin, ink)
    hair = smooth(
        [
            (head[0] - 0.55 * unit, head[1] + 0.2 * unit),
            (head[0] - 0.5 * unit, head[1] - 0.55 * unit),
            (head[0] + 0.1 * unit, head[1] - 0.8 * unit),
            (head[0] + 0.55 * unit, head[1] - 0.3 * unit),
            (head[0] + 0.1 * unit, head[1] - 0.3 * unit),
            (head[0] - 0.25 * unit, head[1] - 0.05 * unit),
        ],
        closed=True,
    )
    canvas.shape(hair, palette.any(0.6, 0.4) if palette.colour else ink, ink)
    for x in (0.1, 0.32):
        canvas.fill(ellipse((head[0] + x * unit, head[1] + 0.02 * unit), unit * 0.05, unit * 0.08, steps=12), ink)
    canvas.stroke(
        [(head[0] + 0.1 * unit, head[1] + 0.3 * unit), (head[0] + 0.3 * unit, head[1] + 0.28 * unit)],
        ink,
        canvas.pen * 0.7,
    )


def cat(canvas: Canvas, rng: random.Random, palette: Palette, centre: Point, size: float) -> None:
    """A sitting cat; `size` is the radius of its head."""
    x, y, ink = centre[0], centre[1], palette.ink
    fur = palette.any(0.5, 0.8) if palette.colour else rng.choice([WHITE, ink, (170, 170, 170)])
    line = WHITE if fur == ink else ink
    tail = smooth(
        [
            (x + size, y + 2.6 * size),
            (x + 2.1 * size, y + 2.4 * size),
            (x + 2.2 * size, y + 1.3 * size),
            (x + 1.7 * size, y + size),
        ]
    )
    canvas.stroke(tail, ink, size * 0.5)
    canvas.stroke(tail, fur, size * 0.5 - 2 * canvas.pen)
    body = smooth(
        [
            (x, y + 0.5 * size),
            (x - 1.1 * size, y + 1.8 * size),
            (x - 1.2 * size, y + 2.9 * size),
            (x + 1.2 * size, y + 2.9 * size),
            (x + 1.1 * size, y + 1.8 * size),
        ],
        closed=True,
    )
    canvas.shape(body, fur, ink)
    for side in (-1, 1):
        canvas.shape(
            [
                (x + side * 0.25 * size, y - 0.85 * size),
                (x + side * 0.8 * size, y - 1.6 * size),
                (x + side * 0.95 * size, y - 0.4 * size),
            ],
            fur,
            ink,
        )
    canvas.shape(ellipse(centre, size * 1.05, size * 0.95), fur, ink)
    for side in (-1, 1):
        canvas.shape(
            ellipse((x + side * 0.42 * size, y - 0.1 * size), size * 0.2, size * 0.26),
            (230, 210, 90) if palette.colour else WHITE,
            ink,
        )
        canvas.fill(ellipse((x + side * 0.42 * size, y - 0.1 * size), size * 0.06, size * 0.22), ink)
        for k in (-1, 0, 1):
            canvas.stroke(
                [(x + side * 0.35 * size, y + 0.35 * size), (x + side * 1.6 * size, y + (0.3 + 0.25 * k) * size)],
                line,
                canvas.pen * 0.5,
            )
    canvas.fill([(x - 0.1 * size, y + 0.2 * size), (x + 0.1 * size, y + 0.2 * size), (x, y + 0.32 * size)], line)
    canvas.stroke(
        smooth([(x - 0.25 * size, y + 0.45 * size), (x, y + 0.34 * size), (x + 0.25 * size, y + 0.45 * size)]),
        line,
        canvas.pen,
    )
    for i in range(rng.randint(0, 5)):
        canvas.stroke(
            [(x - 0.5 * size, y + (1.4 + 0.25 * i) * size), (x + 0.1 * size, y + (1.5 + 0.25 * i) * size)],
            line,
            canvas.pen,
            "out",
        )
