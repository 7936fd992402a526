"""Lettering by our own pen: capitals, digits and a little punctuation as strokes, speech balloons, captions, noises.

The letters are ours, so that pages need no font and look the same wherever they are drawn.
"""

from __future__ import annotations

import math
import random

from canvas import Canvas, Colour, Point, ellipse, rectangle, smooth

# Each stroke is a row of points "xy" in a box 4 wide and 6 high, y downwards; "~" makes it a curve.
_GLYPHS = {
    "A": "06 20 46|14 34",
    "B": "06 00 30 41 42 33 03|33 44 45 36 06",
    "C": "~41 30 10 01 05 16 36 45",
    "D": "00 06 26 44 42 20 00",
    "E": "40 00 06 46|03 33",
    "F": "40 00 06|03 33",
    "G": "~41 30 10 01 05 16 36 45|45 43 23",
    "H": "00 06|40 46|03 43",
    "I": "20 26",
    "J": "~40 44 36 16 05",
    "K": "00 06|40 03 46",
    "L": "00 06 46",
    "M": "06 00 23 40 46",
    "N": "06 00 46 40",
    "O": "~20 10 01 05 16 36 45 41 30 20",
    "P": "06 00 30 41 42 33 03",
    "Q": "~20 10 01 05 16 36 45 41 30 20|34 46",
    "R": "06 00 30 41 42 33 03|23 46",
    "S": "~41 30 10 01 02 13 33 44 45 36 16 05",
    "T": "00 40|20 26",
    "U": "~00 04 16 36 44 40",
    "V": "00 26 40",
    "W": "00 16 22 36 40",
    "X": "00 46|40 06",
    "Y": "00 23 40|23 26",
    "Z": "00 40 06 46",
    "0": "~20 10 01 05 16 36 45 41 30 20|32 14",
    "1": "11 20 26|16 36",
    "2": "~01 10 30 41 42 24 06|06 46",
    "3": "00 40 23|~23 43 45 36 16 05",
    "4": "30 04 44|30 36",
    "5": "40 00 02|~02 32 44 36 16 05",
    "6": "~40 10 03 05 16 36 45 44 33 13 04",
    "7": "00 40 16",
    "8": "~23 12 01 10 30 41 32 23 14 05 16 36 45 34 23",
    "9": "~42 33 13 02 01 10 30 41 43 36 06",
    "!": "20 24|26 26",
    "?": "~01 10 30 41 42 23 24|26 26",
    ".": "26 26",
    ",": "25 17",
    "'": "20 21",
    "-": "13 33",
    " ": "",
}
_NARROW = {"I": 2, "!": 2, ".": 2, ",": 2, "'": 2, " ": 3}

_LINES = [
    "THE TIDE TURNS AT NINE. ARE WE READY?",
    "WAIT! WHO MOVED THE LADDER?",
    "I COUNTED 128 ROOFS FROM HERE.",
    "RAIN AGAIN...",
    "YOU DREW ALL OF THIS IN ONE NIGHT?",
    "ONE TILE AT A TIME.",
    "NO WAY!",
    "THE MAP ENDS HERE, BUT THE ROAD GOES ON.",
    "TURN THE PAGE.",
    "HOLD ON TO THE ROPE!",
    "QUIET. DO YOU HEAR THE ENGINE?",
    "WE NEED 7 MORE LANTERNS.",
    "MY KITE! IT'S OVER THE HARBOUR!",
    "FINALLY HOME.",
]
_CAPTIONS = ["MEANWHILE...", "3 DAYS LATER", "AT THE OLD QUAY", "THAT EVENING", "PART 2", "HIGH ABOVE THE CITY"]
_NOISES = ["BOOM!", "KRAK", "WHOOSH", "ZZAP!", "TOK TOK", "VROOM"]


def text_width(text: str, height: float) -> float:
    """Width of a line of letters `height` pixels high."""
    return sum(_NARROW.get(c, 4) + 1.7 for c in text) * height / 6


def write(
    canvas: Canvas, text: str, at: Point, height: float, ink: Colour, *, width: float | None = None, lean: float = 0.0
) -> None:
    """Writes one line with its top left corner at `at`. `lean` slants the letters."""
    unit, x = height / 6, at[0]
    for letter in text:
        shift = 1.0 if _NARROW.get(letter, 4) == 2 else 0.0
        for stroke in filter(None, _GLYPHS[letter].split("|")):
            points = [(float(p[0]), float(p[1])) for p in stroke.lstrip("~").split()]
            path = smooth(points, steps=5) if stroke.startswith("~") else points
            placed = [(x + (px - shift) * unit + (6 - py) * unit * lean, at[1] + py * unit) for px, py in path]
            canvas.stroke(placed, ink, height * 0.13 if width is None else width)
        x += (_NARROW.get(letter, 4) + 1.7) * unit


def wrap(text: str, columns: int) -> list[str]:
    """Breaks a text into lines of about `columns` letters."""
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > columns:
            lines.append("")
        lines[-1] = (lines[-1] + " " + word).strip()
    return lines


def balloon(
    canvas: Canvas, rng: random.Random, at: Point, letter: float, toward: Point, ink: Colour, *, inset: float
) -> None:
    """A speech balloon near `at` whose tail points `toward`; now and then a shouting one with spikes. It stays `inset`
    pixels from the left and right edge, and its letters shrink where it would be wider than half of it."""
    text = rng.choice(_LINES)
    lines = wrap(text, rng.choice([9, 11, 13]))
    room = canvas.width * 0.52 - 2 * inset
    letter = min(letter, room / (max(text_width(line, 1.0) for line in lines) * 1.24 + 2))
    wide = max(text_width(line, letter) for line in lines)
    high = len(lines) * letter * 1.5
    rx, ry = wide * 0.62 + letter, high * 0.66 + letter
    cx = min(max(at[0], rx + inset), max(rx + inset, canvas.width - rx - inset))
    cy = min(max(at[1], ry + 3), max(ry + 3, canvas.height - ry - 3))
    angle = math.atan2(toward[1] - cy, toward[0] - cx)
    reach = min(math.hypot(toward[0] - cx, toward[1] - cy) * 0.8, max(rx, ry) * 1.5)
    shouted = "!" in text and rng.random() < 0.6
    body = _spikes(rng, (cx, cy), rx, ry) if shouted else ellipse((cx, cy), rx, ry)
    side = letter * 0.9
    foot = [
        (cx + math.cos(angle + s * math.pi / 2) * side, cy + math.sin(angle + s * math.pi / 2) * side) for s in (-1, 1)
    ]
    tail = [foot[0], (cx + math.cos(angle) * reach, cy + math.sin(angle) * reach), foot[1]]
    canvas.outline(body, ink)
    canvas.outline(tail, ink)
    canvas.fill(body, (255, 255, 255))
    canvas.fill(tail, (255, 255, 255))
    for i, line in enumerate(lines):
        write(canvas, line, (cx - text_width(line, letter) / 2, cy - high / 2 + (i + 0.2) * letter * 1.5), letter, ink)


def caption(canvas: Canvas, rng: random.Random, letter: float, ink: Colour, paper: Colour, *, inset: float) -> None:
    """A box with a few words in the upper left corner, at least `inset` pixels from the left edge."""
    text = rng.choice(_CAPTIONS)
    left, top = inset + letter * 0.4, letter * 0.8
    box = rectangle(left, top, left + text_width(text, letter) + letter * 1.4, top + letter * 2.1)
    canvas.shape(box, paper, ink)
    write(canvas, text, (left + letter * 0.8, top + letter * 0.55), letter, ink)


def noise(canvas: Canvas, rng: random.Random, at: Point, height: float, ink: Colour, inside: Colour) -> None:
    """A large leaning sound, its letters outlined."""
    text = rng.choice(_NOISES)
    height = min(height, canvas.width * 0.8 / text_width(text, 1.0))
    left = min(at[0], canvas.width - text_width(text, height) - height * 0.2)
    for width, colour in ((height * 0.30, ink), (height * 0.15, inside)):
        write(canvas, text, (left, at[1]), height, colour, width=width, lean=0.25)


def _spikes(rng: random.Random, centre: Point, rx: float, ry: float) -> list[Point]:
    count = 2 * rng.randint(9, 13)
    points = []
    for i in range(count):
        far = 1.0 if i % 2 == 0 else rng.uniform(1.2, 1.45)
        angle = 2 * math.pi * i / count
        points.append((centre[0] + rx * far * math.cos(angle), centre[1] + ry * far * math.sin(angle)))
    return points
