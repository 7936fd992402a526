#!/usr/bin/env python3
"""Trains the small 2x upscaler of the sample data on drawn pages, and writes it as ONNX.

    train_upscaler.py OUT.onnx [--seed S] [--steps N]

Five valid 3x3 convolutions (a halo of 5 pixels) and DepthToSpace, RGB 0..1 in and out. One thread, everything seeded,
and a number of steps rather than of minutes: the same machine makes the same file again. Needs requirements.txt.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from chain import Layer, save_chain
from page import draw_page

WIDTHS = [3, 32, 32, 32, 32, 12]
HALO = len(WIDTHS) - 1
SLOPE = 0.1
PAGE_PX, PAGES = 448, 96
PATCH, BATCH = 40, 16  # pixels of a patch's output at the small size; patches a step
LEARNING_RATE = 2e-3


def training_pages(seed: int) -> list[NDArray[np.uint8]]:
    """Square RGB pages, every other one grey, with panels from small to large."""
    rng = np.random.default_rng(seed)
    pages = []
    for i in range(PAGES):
        page = draw_page(seed + i, PAGE_PX, PAGE_PX, colour=i % 2 == 0, panel_px=int(rng.integers(150, 420)))
        pages.append(np.asarray(page.convert("RGB")))
    return pages


def halve(page: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The average of each 2 × 2 pixels, rounded as an 8-bit picture would be."""
    quads = page.astype(np.float64).reshape(page.shape[0] // 2, 2, page.shape[1] // 2, 2, 3)
    small: NDArray[np.uint8] = np.rint(quads.mean(axis=(1, 3))).astype(np.uint8)
    return small


class Upscaler(nn.Module):
    """The chain, starting as bilinear interpolation: the first three channels carry the picture through."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = [nn.Conv2d(a, b, 3) for a, b in zip(WIDTHS, WIDTHS[1:], strict=False)]
        self.registered = nn.ModuleList(self.convs)
        with torch.no_grad():
            for conv in self.convs:
                assert conv.bias is not None
                conv.bias.zero_()
            for conv in self.convs[:-1]:
                conv.weight[:3] = 0
                for c in range(3):
                    conv.weight[c, c, 1, 1] = 1
            last = self.convs[-1]
            last.weight.mul_(0.01)
            near_far = ([0.25, 0.75, 0.0], [0.0, 0.75, 0.25])
            for c in range(3):
                for row, across in enumerate(near_far):
                    for column, along in enumerate(near_far):
                        last.weight[4 * c + 2 * row + column, c] = torch.outer(
                            torch.tensor(across), torch.tensor(along)
                        )

    def forward(self, small: Tensor) -> Tensor:
        """[n, 3, h, w] to [n, 3, 2(h − 2·HALO), 2(w − 2·HALO)]."""
        for conv in self.convs[:-1]:
            small = nn.functional.leaky_relu(conv(small), SLOPE)
        return nn.functional.pixel_shuffle(self.convs[-1](small), 2)

    def layers(self) -> list[Layer]:
        """What save_chain() takes."""
        arrays = [[value.detach().numpy() for value in conv.parameters()] for conv in self.convs]
        slopes = [SLOPE] * (len(arrays) - 1) + [None]
        return [Layer(weight, bias, slope) for (weight, bias), slope in zip(arrays, slopes, strict=True)]


def patches(
    rng: np.random.Generator, pairs: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]
) -> tuple[Tensor, Tensor]:
    """A batch of random patches, turned and mirrored: small ones with their halo, and the large ones to be made."""
    side, xs, ys = PATCH + 2 * HALO, [], []
    for _ in range(BATCH):
        small, large = pairs[int(rng.integers(len(pairs)))]
        top, left = (int(rng.integers(0, small.shape[axis] - side + 1)) for axis in (0, 1))
        x = small[top : top + side, left : left + side]
        y = large[2 * (top + HALO) : 2 * (top + HALO + PATCH), 2 * (left + HALO) : 2 * (left + HALO + PATCH)]
        turns, mirror = int(rng.integers(4)), int(rng.integers(2))
        x, y = np.rot90(x, turns), np.rot90(y, turns)
        xs.append(x[:, ::-1] if mirror else x)
        ys.append(y[:, ::-1] if mirror else y)
    as_tensor = [torch.from_numpy(np.stack(v).transpose(0, 3, 1, 2).astype(np.float32) / 255) for v in (xs, ys)]
    return as_tensor[0], as_tensor[1]


def train(seed: int, steps: int) -> Upscaler:
    """The trained network. Mean squared error, Adam, a learning rate that falls as a cosine."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)
    rng, net = np.random.default_rng(seed), Upscaler()
    pairs = [(halve(page), page) for page in training_pages(seed)]
    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, LEARNING_RATE / 100)
    start, running = time.monotonic(), 0.0
    for step in range(1, steps + 1):
        small, large = patches(rng, pairs)
        loss = nn.functional.mse_loss(net(small), large)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        running += loss.item()
        if step % 200 == 0:
            print(f"step {step}: {-10 * np.log10(running / 200):.2f} dB, {time.monotonic() - start:.0f} s", flush=True)
            running = 0.0
    return net


def main() -> None:
    """Trains and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT.onnx")
    parser.add_argument("--seed", type=int, default=20_000)
    parser.add_argument("--steps", type=int, default=5_000)
    args = parser.parse_args()
    layers = train(args.seed, args.steps).layers()
    note = (
        f"2x upscaler for drawings, halo {HALO} px a side, RGB 0..1. tools/sample/train_upscaler.py --seed {args.seed}"
    )
    parameters = save_chain(layers, args.out, scale=2, note=f"{note} --steps {args.steps}")
    print(f"{args.out}: {parameters} parameters, {args.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
