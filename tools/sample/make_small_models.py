#!/usr/bin/env python3
"""Writes the two small networks of the sample data that memory is tried with: `light.onnx` and `unet.onnx`.

    make_small_models.py OUT_FOLDER

`light` sharpens each channel with five taps: next to no work and no memory for each pixel, so that all that a run
takes beside its model shows, on images of a gigapixel too. `unet` has three levels with skips: tensors of three
resolutions that live at once, and an alignment of 4. Its weights are drawn from a seed, and what it makes is added to its
input, so that pages stay pages.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from chain import IR_VERSION, OPSET

SEED = 6
SHARPER = 0.125  # of the difference to each of four neighbours; a power of two, so that the weights add up to exactly 1
ADDED = 0.1


class Network:
    """A graph from `input` to `output`, both [n, 3, h, w], to which nodes are added one by one."""

    def __init__(self, name: str, note: str) -> None:
        self.name, self.note = name, note
        self.random = np.random.default_rng(SEED)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def add(self, operator: str, inputs: list[str], out: str, **attributes: object) -> str:
        """A node named as its one output, which is returned."""
        self.nodes.append(helper.make_node(operator, inputs, [out], name=out, **attributes))
        return out

    def weight(self, name: str, values: NDArray[np.float32]) -> str:
        """A constant."""
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def layer(self, x: str, out: str, inner: int, outer: int, stride: int = 1) -> str:
        """A convolution of 3 × 3 and a Relu. Spread of the weights as He et al. have it, so that activations keep their size."""
        values = self.random.normal(0, (2 / (9 * inner)) ** 0.5, (outer, inner, 3, 3)).astype(np.float32)
        kernel = self.weight(f"{out}.weight", values)
        self.add("Conv", [x, kernel], f"{out}.sum", kernel_shape=[3, 3], strides=[stride] * 2, pads=[1] * 4)
        return self.add("Relu", [f"{out}.sum"], out)

    def doubled(self, x: str, out: str, channels: int) -> str:
        """A transposed convolution of 2 × 2: twice the size."""
        values = self.random.normal(0, (1 / channels) ** 0.5, (channels, channels, 2, 2)).astype(np.float32)
        kernel = self.weight(f"{out}.weight", values)
        return self.add("ConvTranspose", [x, kernel], out, kernel_shape=[2, 2], strides=[2, 2])

    def save(self, folder: Path) -> None:
        """Writes NAME.onnx."""
        sides = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3, height, width])
            for name, height, width in (("input", "h", "w"), ("output", "out_h", "out_w"))
        ]
        graph = helper.make_graph(self.nodes, self.name, sides[:1], sides[1:], self.weights)
        model = helper.make_model(graph, producer_name="pantile", opset_imports=[helper.make_opsetid("", OPSET)])
        model.ir_version, model.doc_string = IR_VERSION, f"{self.note} tools/sample/make_small_models.py"
        onnx.checker.check_model(model, full_check=True)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.onnx"
        path.write_bytes(model.SerializeToString(deterministic=True))
        parameters = sum(int(np.prod(one.dims)) for one in self.weights)
        print(f"{path}: {parameters} parameters, {path.stat().st_size} bytes")


def light() -> Network:
    """A sharpening cross for each channel by itself. Halo: 1 pixel."""
    net = Network("light", "Sharpens RGB 0..1 with five taps, zero-padded, halo 1 px a side.")
    cross = np.zeros((3, 1, 3, 3), np.float32)
    cross[:, :, 1] = cross[:, :, :, 1] = -SHARPER
    cross[:, :, 1, 1] = 1 + 4 * SHARPER
    # One group a channel: ONNX Runtime widens other convolutions to 16 channels (76 bytes a pixel rather than 13).
    net.add("Conv", ["input", net.weight("cross", cross)], "output", kernel_shape=[3, 3], pads=[1] * 4, group=3)
    return net


def unet() -> Network:
    """8, 12 and 16 channels at full size, half and a quarter."""
    net = Network("unet", "Narrow U-Net with random weights, RGB 0..1, zero-padded, sides multiples of 4.")
    full = net.layer(net.layer("input", "full.1", 3, 8), "full.2", 8, 8)
    half = net.layer(net.layer(full, "half.1", 8, 12, stride=2), "half.2", 12, 12)
    quarter = net.layer(net.layer(half, "quarter.1", 12, 16, stride=2), "quarter.2", 16, 16)
    x = net.add("Concat", [net.doubled(quarter, "half.up", 16), half], "half.both", axis=1)
    x = net.layer(x, "half.3", 28, 12)
    x = net.add("Concat", [net.doubled(x, "full.up", 12), full], "full.both", axis=1)
    x = net.layer(x, "full.3", 20, 8)
    last = (net.random.normal(0, (1 / 8) ** 0.5, (3, 8, 1, 1)) * ADDED).astype(np.float32)
    x = net.add("Conv", [x, net.weight("added.weight", last)], "added", kernel_shape=[1, 1])
    net.add("Add", ["input", x], "output")
    return net


def main() -> None:
    """Writes both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT_FOLDER")
    folder = parser.parse_args().out
    for network in (light(), unet()):
        network.save(folder)


if __name__ == "__main__":
    main()
