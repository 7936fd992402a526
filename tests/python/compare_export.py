#!/usr/bin/env python3
"""Compares exported PNGs with the whole-image reference, pixel for pixel.

    compare_export.py MODEL.onnx IMAGES_DIR EXPORT_DIR [--color Y] [--halo PX] [--scale A/B] [--max-mp N]

Prints each difference and what was compared; exit 1 if an image differs or is missing, or if nothing was compared.
An image that Pillow cannot read must have no export. One image is in memory at a time; a large model on a large image
takes gigabytes (upconv7: 2 kB a pixel), so --max-mp leaves larger ones out, and says so.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image

import reference

ENDINGS = {".png", ".jpg", ".jpeg"}


def exported(item: Path, images: Path, export: Path) -> Path:
    """Where `pantile export` puts an item: its stem, or its whole name where two stems in a folder collide."""
    target = export / item.relative_to(images)
    whole = target.with_name(target.name + ".png")
    return whole if whole.exists() else target.with_suffix(".png")


def difference(expected: reference.Pixels, path: Path) -> str:
    """What is wrong with an exported image; empty if nothing is."""
    if not path.exists():
        return f"no export at {path}"
    got = np.asarray(Image.open(path))
    got = got[:, :, None] if got.ndim == 2 else got
    if got.shape != expected.shape:
        return f"has shape {got.shape} (expected {expected.shape})"
    wrong = np.argwhere(got != expected)
    if len(wrong) == 0:
        return ""
    y, x, c = wrong[0]
    worst = int(np.abs(got.astype(int) - expected).max())
    return f"{len(wrong)} of {got.size} samples differ, by {worst} at most, the first at y {y}, x {x}, channel {c}"


def main(arguments: list[str] | None = None) -> int:
    """Compares a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("export", type=Path)
    parser.add_argument("--max-mp", type=float, default=20.0, help="largest input in megapixels (default 20)")
    reference.add_numeric_options(parser)
    args = parser.parse_args(arguments)
    session = reference.open_model(args.model)
    equal, different, large, unreadable = 0, 0, 0, 0
    for item in sorted(p for p in args.images.rglob("*") if p.suffix.lower() in ENDINGS):
        place = exported(item, args.images, args.export)
        try:
            samples = reference.decode(item, args.color)
        except (OSError, SyntaxError) as error:
            unreadable += 1
            if place.exists():
                different += 1
                print(f"{item}: has an export, but cannot be read ({error})")
            continue
        if samples.shape[0] * samples.shape[1] > args.max_mp * 1e6:
            large += 1
            continue
        wrong = difference(reference.apply(session, samples, args.halo, args.scale), place)
        equal, different = equal + (not wrong), different + bool(wrong)
        if wrong:
            print(f"{item}: {wrong}")
    print(f"{equal} equal, {different} different, {unreadable} unreadable, {large} left out above {args.max_mp:g} MP")
    return 1 if different or not equal else 0


if __name__ == "__main__":
    sys.exit(main())
