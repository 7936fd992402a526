#!/usr/bin/env python3
"""Writes the small luma sharpener of the sample data: weights by hand, zero padding, one channel.

    make_sharpener.py OUT.onnx

It darkens a pixel by its neighbours that are brighter, so that ink gets firmer and paper stays. What it is for: a model
with `color: Y` and padding of its own, beside the upscaler that has neither.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from chain import Layer, save_chain

STRENGTH, SLOPE = 0.25, 0.1


def layers() -> list[Layer]:
    """Luma and its difference to four neighbours; then luma less the blurred brighter ones. Halo: 2 pixels."""
    first = np.zeros((5, 1, 3, 3), np.float32)
    first[:, 0, 1, 1] = [1, -1, -1, -1, -1]
    for channel, (y, x) in enumerate([(0, 1), (1, 0), (1, 2), (2, 1)], 1):
        first[channel, 0, y, x] = 1
    second = np.zeros((1, 5, 3, 3), np.float32)
    second[0, 1:] = -STRENGTH / 16 * np.outer([1, 2, 1], [1, 2, 1])
    second[0, 0, 1, 1] = 1
    return [
        Layer(first, np.zeros(5, np.float32), SLOPE, padding=1),
        Layer(second, np.zeros(1, np.float32), padding=1),
    ]


def main() -> None:
    """Writes the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT.onnx")
    out = parser.parse_args().out
    note = "Sharpener for drawings, luma 0..1, zero-padded, halo 2 px a side. tools/sample/make_sharpener.py"
    print(f"{out}: {save_chain(layers(), out, scale=1, note=note)} parameters, {out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
