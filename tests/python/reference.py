#!/usr/bin/env python3
"""The whole-image reference: what one image becomes, by numpy, Pillow and onnxruntime, in one run without tiles.

    reference.py MODEL.onnx IMAGE OUT.png [--color RGB|Y] [--halo PX] [--scale A/B]

It says again, in a few lines that share no code with Pantile, what the numbers mean; an exported image has
to be equal to it pixel for pixel.
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image, ImageOps

Pixels = NDArray[np.uint8]  # height, width, channels


def decode(path: Path, color: str = "RGB") -> NDArray[np.float64]:
    """The samples of a file, as decode_image() has them. Raises OSError or SyntaxError where Pillow cannot read it."""
    with Image.open(path) as image:
        return decode_image(image, color)


def decode_image(image: Image.Image, color: str = "RGB") -> NDArray[np.float64]:
    """Samples 0..255 as (height, width, channels): EXIF applied, alpha dropped, 16-bit grey by v / 257; RGB or Y."""
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I"):
        return np.repeat(np.asarray(upright)[:, :, None] / 257.0, 3 if color == "RGB" else 1, axis=2)
    rgb = np.asarray(upright.convert("RGB")).astype(np.int64)
    if color == "RGB":
        return rgb.astype(np.float64)
    luma: NDArray[np.int64] = (rgb @ np.array([9798, 19235, 3735]) + 16384) >> 15  # OpenCV's cvtColor, RGB2GRAY
    return luma[:, :, None].astype(np.float64)


def open_model(path: Path) -> onnxruntime.InferenceSession:
    """A session on one thread of the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def apply(
    session: onnxruntime.InferenceSession,
    samples: NDArray[np.float64],
    halo: int = 0,
    scale: Fraction = Fraction(1, 255),
) -> Pixels:
    """One run over the whole image, extended by `halo` repeated edge pixels, and back to bytes."""
    factor = scale.numerator / scale.denominator
    values = ((samples * factor - 0.0) / 1.0).astype(np.float32)
    values = np.pad(values, ((halo, halo), (halo, halo), (0, 0)), mode="edge")
    output = session.run(None, {session.get_inputs()[0].name: values.transpose(2, 0, 1)[None]})[0][0]
    levels = output * np.float32(scale.denominator / scale.numerator)
    pixels: Pixels = np.rint(np.clip(levels, 0, 255)).astype(np.uint8).transpose(1, 2, 0)
    return pixels


def as_image(pixels: Pixels) -> Image.Image:
    """A Pillow image of one or three channels."""
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def add_numeric_options(parser: argparse.ArgumentParser) -> None:
    """The options that say how pixels and numbers correspond."""
    parser.add_argument("--color", choices=["RGB", "Y"], default="RGB")
    parser.add_argument("--halo", type=int, default=0, help="pixels a side that a valid model takes away (default 0)")
    parser.add_argument("--scale", type=Fraction, default=Fraction(1, 255), help="of a sample (default 1/255)")


def main() -> None:
    """Makes one image."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("image", type=Path)
    parser.add_argument("out", type=Path)
    add_numeric_options(parser)
    args = parser.parse_args()
    as_image(apply(open_model(args.model), decode(args.image, args.color), args.halo, args.scale)).save(args.out)


if __name__ == "__main__":
    main()
