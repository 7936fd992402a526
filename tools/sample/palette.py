"""The colours of a page, and how a surface is covered: flat and graded on colour pages, toned on grey ones."""

from __future__ import annotations

import colorsys
import math
import random
from collections.abc import Sequence

from canvas import WHITE, Canvas, Colour, Point

# Finer patterns could not be told apart on a page of half the size (two pixels there to a period along each axis; the
# lattice of dots lies at 45 degrees): no upscaler could bring them back, and none could be judged by them.
FINEST_DOTS_PX = 3.2
FINEST_LINES_PX = 4.4


def darker(colour: Colour, share: float) -> Colour:
    """A colour with `share` of its light."""
    r, g, b = (round(v * share) for v in colour)
    return (r, g, b)


class Palette:
    """The colours and surfaces of one page."""

    def __init__(self, rng: random.Random, *, colour: bool) -> None:
        self.colour = colour
        self._rng = rng
        self._hue = rng.random()
        self.ink: Colour = (24, 20, 32) if colour else (rng.randint(8, 30),) * 3
        self.paper: Colour = (252, 248, 238) if colour and rng.random() < 0.5 else WHITE
        self.skin = self.mix(rng.uniform(0.04, 0.09), rng.uniform(0.2, 0.5), rng.uniform(0.7, 1.0))
        self.tone_pitch = rng.uniform(FINEST_DOTS_PX, 4.8)

    def mix(self, hue: float, saturation: float, value: float) -> Colour:
        """A colour by hue, saturation and value, all 0 to 1; on a grey page a light grey of that value."""
        if not self.colour:
            return (round(90 + 165 * value),) * 3
        r, g, b = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
        return (round(255 * r), round(255 * g), round(255 * b))

    def any(self, saturation: float = 0.6, value: float = 0.85) -> Colour:
        """Some colour that goes with the page's own hue."""
        hue = self._hue + self._rng.choice([0.0, 0.08, 0.33, 0.5, 0.58]) + self._rng.uniform(-0.04, 0.04)
        return self.mix(hue, saturation * self._rng.uniform(0.7, 1.1), value)

    def cover(self, canvas: Canvas, shape: Sequence[Point], kind: str = "", base: Colour | None = None) -> None:
        """Covers a surface in the page's manner. `kind`: "dark" and "light" steer it; empty leaves it to chance.
        `base` is its colour on a colour page; a grey page has no use for it."""
        rng = self._rng
        if self.colour:
            value = {"dark": 0.35, "light": 0.97}.get(kind, rng.uniform(0.55, 0.95))
            top = base or self.any(value=value)
            if rng.random() < 0.5:
                canvas.gradient(shape, top, darker(top, 0.75))
            else:
                canvas.fill(shape, top)
            if rng.random() < 0.2:
                canvas.screentone(shape, darker(top, 0.7), pitch=self.tone_pitch, ink=0.2)
            return
        way = {"dark": "ink", "light": "tone"}.get(kind) or rng.choice(
            ["tone", "tone", "hatch", "fade", "grey", "cross"]
        )
        canvas.fill(shape, WHITE)
        if way == "ink":
            canvas.fill(shape, self.ink)
        elif way == "tone":
            canvas.screentone(shape, self.ink, pitch=self.tone_pitch, ink=rng.uniform(0.08, 0.4))
        elif way == "fade":
            canvas.screentone(shape, self.ink, pitch=self.tone_pitch, ink=rng.uniform(0.3, 0.6), fade=-0.5)
        elif way == "grey":
            canvas.fill(shape, (rng.randint(150, 225),) * 3)
        else:
            for angle in (0.8, -0.8) if way == "cross" else (rng.choice([0.8, 1.2, 2.2]),):
                canvas.hatch(
                    shape,
                    self.ink,
                    gap=rng.uniform(FINEST_LINES_PX, 7.0),
                    angle=angle * math.pi / 2,
                    width=canvas.pen * 0.4,
                )

    def sky(self, canvas: Canvas, shape: Sequence[Point]) -> None:
        """A sky: graded on colour pages, empty, toned or graded on grey ones."""
        if self.colour:
            hue = self._rng.choice([0.55, 0.58, 0.07, 0.75])
            canvas.gradient(shape, self.mix(hue, 0.6, 0.85), self.mix(hue + self._rng.uniform(-0.05, 0.1), 0.2, 1.0))
        elif (way := self._rng.random()) < 0.4:
            canvas.screentone(shape, self.ink, pitch=self.tone_pitch, ink=0.45, fade=-0.5)
        elif way < 0.6:
            canvas.gradient(shape, (150, 150, 150), WHITE)
