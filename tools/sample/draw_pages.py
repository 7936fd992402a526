#!/usr/bin/env python3
"""Draws comic-like pages: as many as wanted, or exactly the sample set that the repository holds.

    draw_pages.py OUT [--seed S] [--pages N]     N pages of many sizes, PNG and JPEG, grey and colour
    draw_pages.py OUT --sample-set               OUT/pages and OUT/broken, as under tests/data

Needs numpy and Pillow. Equal arguments draw equal pixels.
"""

from __future__ import annotations

import argparse
import io
import math
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from page import draw_page

EXIF_ORIENTATION = 0x0112
SAMPLE_SEED = 3


@dataclass(frozen=True)
class Sheet:
    """One file to draw. `mode` is that of the file: L, RGB, RGBA, P (16 colours), 1 (black and white)."""

    name: str
    width: int
    height: int
    mode: str = "L"
    panel_px: int = 420
    orientation: int = 1  # EXIF; from 5 on the file holds the page lying on its side
    options: dict[str, Any] = field(default_factory=dict)  # of Pillow's save()


SAMPLE_SET = [
    Sheet("page-01.png", 561, 797),
    Sheet("page-02.png", 560, 800, panel_px=300),
    Sheet("page-03.jpg", 560, 800, options={"quality": 88}),
    Sheet("page-04-05.jpg", 1300, 900, panel_px=450, options={"quality": 80}),
    Sheet("page-06.png", 480, 680, "1", panel_px=340),
    Sheet("cover.jpg", 600, 840, "RGB", panel_px=800, options={"quality": 90, "subsampling": "4:2:0"}),
    Sheet("colour-01.png", 420, 600, "RGB"),
    Sheet("colour-02.jpg", 420, 600, "RGB", panel_px=280, options={"quality": 90, "subsampling": "4:4:4"}),
    Sheet("colour-03.jpg", 423, 601, "RGB", options={"quality": 85, "subsampling": "4:2:0", "progressive": True}),
    Sheet("palette.png", 360, 500, "P"),
    Sheet("strip.jpg", 360, 2300, "RGB", panel_px=360, options={"quality": 85}),
    Sheet("turned.jpg", 480, 340, "RGB", panel_px=340, orientation=6, options={"quality": 88}),
    Sheet("sticker.png", 200, 220, "RGBA", panel_px=300),
    Sheet("small-grey.jpg", 127, 96, panel_px=200, options={"quality": 90}),
    Sheet("small.png", 120, 150, "RGB", panel_px=200),
]


def draw(sheet: Sheet, seed: int) -> Image.Image:
    """The page as a viewer sees it, in the mode of its file."""
    colour = sheet.mode not in ("L", "1")
    page = draw_page(seed, sheet.width, sheet.height, colour=colour, panel_px=sheet.panel_px)
    if sheet.mode == "P":
        return page.quantize(16, dither=Image.Dither.NONE)
    if sheet.mode == "1":
        return page.convert("1", dither=Image.Dither.NONE)
    if sheet.mode == "RGBA":
        page.putalpha(Image.linear_gradient("L").resize(page.size))
    return page


def encode(sheet: Sheet, page: Image.Image) -> bytes:
    """The bytes of the file."""
    sideways = {1: None, 3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    turn, options = sideways[sheet.orientation], dict(sheet.options)
    if turn is not None:
        exif = Image.Exif()
        exif[EXIF_ORIENTATION] = sheet.orientation
        page, options["exif"] = page.transpose(turn), exif
    kind = "PNG" if sheet.name.endswith(".png") else "JPEG"
    stream = io.BytesIO()
    page.save(stream, kind, optimize=True, **options)
    return stream.getvalue()


def write_sample_set(out: Path) -> None:
    """The good pages under pages/; under broken/ one cut short, one that is text, and one that is empty."""
    pages, broken = out / "pages", out / "broken"
    for folder in (pages, broken):
        folder.mkdir(parents=True, exist_ok=True)
    for i, sheet in enumerate(SAMPLE_SET):
        (pages / sheet.name).write_bytes(encode(sheet, draw(sheet, SAMPLE_SEED + i)))
    cut = Sheet("page-cut.jpg", 420, 600, options={"quality": 85})
    whole = encode(cut, draw(cut, SAMPLE_SEED + len(SAMPLE_SET)))
    (broken / cut.name).write_bytes(whole[: len(whole) * 6 // 10])
    (broken / "text.png").write_text("This is a note about a page, and no picture at all.\n")
    (broken / "empty.png").write_bytes(b"")


def write_pages(out: Path, seed: int, count: int) -> None:
    """Pages of many sizes, from a thumbnail to about four megapixels, each tenth a double page or a strip."""
    rng = random.Random(seed)
    out.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        side = min(2000.0, max(100.0, rng.lognormvariate(math.log(700), 0.5)))
        ratio = rng.choice([1 / 1.42] * 9 + [rng.choice([1.42, 1 / 5])])
        width, height = max(100, round(side * math.sqrt(ratio))), max(100, round(side / math.sqrt(ratio)))
        ending, options = (".png", {}) if i % 2 == 0 else (".jpg", {"quality": 88})
        mode, panel_px = rng.choice(["L", "RGB"]), rng.randint(250, 500)
        sheet = Sheet(f"page-{i + 1:05d}{ending}", width, height, mode, panel_px, options=options)
        (out / sheet.name).write_bytes(encode(sheet, draw(sheet, seed + i)))


def main() -> None:
    """Draws, and says how much."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pages", type=int, default=20)
    parser.add_argument("--sample-set", action="store_true", help="exactly the set of tests/data")
    args = parser.parse_args()
    if args.sample_set:
        write_sample_set(args.out)
    else:
        write_pages(args.out, args.seed, args.pages)
    files = [p for p in args.out.rglob("*") if p.is_file()]
    print(f"{args.out}: {len(files)} files, {sum(p.stat().st_size for p in files)} bytes")


if __name__ == "__main__":
    main()
