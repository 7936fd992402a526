"""A page: panels in rows with gutters, each a scene with its balloons, captions and noises."""

from __future__ import annotations

import random

from PIL import Image

from canvas import WHITE, Canvas, Point
from lettering import balloon, caption, noise
from palette import Palette
from scenes import SCENES, Scene, rush

Corners = list[Point]  # of a panel, clockwise from the top left


def draw_page(seed: int, width: int, height: int, *, colour: bool, panel_px: int = 420) -> Image.Image:
    """Draws one page of `width` × `height` pixels, mode "RGB" or "L". Equal arguments draw equal pixels.

    `panel_px` is about how large a panel should be: it decides the number of rows and columns.
    """
    rng = random.Random(f"{seed} {width}x{height} {colour}")
    palette = Palette(rng, colour=colour)
    pen = max(1.0, min(width, height, panel_px * 1.5) / 330) * rng.uniform(0.8, 1.3)
    page = Canvas(width, height, colour=colour, pen=pen, paper=palette.paper)
    scenes = _shuffled(rng)
    for corners in _layout(rng, width, height, panel_px):
        if not scenes:
            scenes = _shuffled(rng)
        _draw_panel(page, rng, palette, corners, scenes.pop())
    return page.finished()


def _shuffled(rng: random.Random) -> list[Scene]:
    return rng.sample(SCENES, len(SCENES))


def _layout(rng: random.Random, width: int, height: int, panel_px: int) -> list[Corners]:
    """Rows of panels. Some cuts between two panels of a row lean; pages smaller than a panel hold one."""
    margin = max(3.0, min(width, height, 3 * panel_px) * 0.025)
    gutter = max(2.0, margin * 0.5)
    rows = max(1, round((height - 2 * margin) / panel_px * rng.uniform(0.9, 1.1)))
    panels: list[Corners] = []
    for top, bottom in _split(rng, margin, height - margin, rows, gutter):
        columns = max(1, round((width - 2 * margin) / panel_px + rng.uniform(-0.5, 0.5)))
        spans = _split(rng, margin, width - margin, columns, gutter)
        lean = (
            [0.0] + [rng.choice([0, 0, 1, -1]) * min(panel_px * 0.06, (bottom - top) * 0.12) for _ in spans[1:]] + [0.0]
        )
        for i, (left, right) in enumerate(spans):
            panels.append(
                [
                    (left + lean[i], top),
                    (right + lean[i + 1], top),
                    (right - lean[i + 1], bottom),
                    (left - lean[i], bottom),
                ]
            )
    return panels


def _split(rng: random.Random, start: float, end: float, count: int, gutter: float) -> list[tuple[float, float]]:
    """Divides a length into `count` uneven parts with gutters between."""
    shares = [rng.uniform(0.75, 1.25) for _ in range(count)]
    unit = (end - start - gutter * (count - 1)) / sum(shares)
    parts, at = [], start
    for share in shares:
        parts.append((at, at + unit * share))
        at += unit * share + gutter
    return parts


def _draw_panel(page: Canvas, rng: random.Random, palette: Palette, corners: Corners, scene: Scene) -> None:
    left, top = (int(min(p[i] for p in corners)) for i in (0, 1))
    right, bottom = (int(max(p[i] for p in corners)) + 1 for i in (0, 1))
    panel = Canvas(right - left, bottom - top, colour=palette.colour, pen=page.pen, paper=WHITE)
    scene(panel, rng, palette)
    w, h = panel.width, panel.height
    letter = max(5.0, min(w, h) * 0.035, page.pen * 5)
    inset = 2 + page.pen + max(abs(corners[0][0] - corners[3][0]), abs(corners[1][0] - corners[2][0]))
    if min(w, h) > 100:
        if scene is rush:
            noise(
                panel,
                rng,
                (w * rng.uniform(0.03, 0.3), h * rng.uniform(0.03, 0.7)),
                h * 0.2,
                palette.ink,
                palette.any(0.8, 1.0) if palette.colour else WHITE,
            )
        elif rng.random() < 0.75:
            side = rng.choice([0.15, 0.85])
            balloon(panel, rng, (w * side, h * 0.15), letter, (w * 0.5, h * 0.5), palette.ink, inset=inset)
            if side > 0.5 and rng.random() < 0.4:
                caption(panel, rng, letter, palette.ink, palette.paper if palette.colour else WHITE, inset=inset)
    page.place(panel, (left, top), corners)
    page.outline(corners, palette.ink, page.pen * 1.6)
