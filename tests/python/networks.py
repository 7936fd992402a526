"""Small networks as exporters write them, in any operator set. Weights are random but fixed; nothing is from outside."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools" / "sample"))
from graph import Graph  # noqa: E402  (a module of tools/sample)

NEWEST = (onnx.defs.onnx_opset_version(), onnx.IR_VERSION)
PLAIN = (17, 8)
OLDEST = (11, 6)


class Network(Graph):
    """A network from image to image, in the operator set of an exporter."""

    def __init__(self, version: tuple[int, int] = PLAIN, channels: int = 3, size: tuple[int | str, int | str] = ("H", "W")) -> None:
        super().__init__(seed=7)
        self.opset, self.ir = version
        self.input = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N" if isinstance(size[0], str) else 1, channels, *size])

    def conv(self, x: str, inner: int, outer: int, kernel: int = 3, stride: int = 1) -> str:
        # Positive, with a sum of about 1: a changed pixel reaches all that see it, and no activation hides it.
        weights = (self.random.uniform(0.5, 1.5, (outer, inner, kernel, kernel)) / (inner * kernel * kernel)).astype(np.float32)
        pad = (kernel - 1) // 2
        return self.add("Conv", x, self.constant(weights), kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4)

    def block(self, x: str, inner: int, outer: int, stride: int = 1) -> str:
        return self.add("Relu", self.conv(x, inner, outer, stride=stride))

    def size_of(self, x: str) -> tuple[str, str]:
        """Height and width as torch.onnx.export writes them: Shape, Gather, Unsqueeze."""
        shape = self.add("Shape", x)
        sides = []
        for axis in (2, 3):
            side = self.add("Gather", shape, self.constant(np.array(axis, np.int64)), axis=0)
            if self.opset >= 13:
                sides.append(self.add("Unsqueeze", side, self.integers(0)))
            else:
                sides.append(self.add("Unsqueeze", side, axes=[0]))
        return sides[0], sides[1]

    def resize(self, x: str, sizes: str, **attributes: object) -> str:
        # In the first versions no input may be left out in the middle: exporters write empty ones.
        empty = self.constant(np.array([], np.float32)) if self.opset < 13 else ""
        return self.add("Resize", x, empty, empty, sizes, **attributes)

    def model(self, output: str, kind: int = TensorProto.FLOAT, dims: tuple[int | str, ...] = ("N", "C", "h", "w")) -> onnx.ModelProto:
        info = helper.make_tensor_value_info(output, kind, list(dims))
        graph = helper.make_graph(self.nodes, "network", [self.input], [info], self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=self.ir, producer_name="networks.py")
        onnx.checker.check_model(model)
        return model


def unet(version: tuple[int, int] = PLAIN) -> onnx.ModelProto:
    """Two halvings and two doublings, the second to the size of the skip, with skips: alignment 4."""
    net = Network(version)
    one = net.block("input", 3, 8)
    two = net.block(net.add("MaxPool", one, kernel_shape=[2, 2], strides=[2, 2]), 8, 12)
    three = net.block(net.block(two, 12, 16, stride=2), 16, 16)
    kernel = net.constant((net.random.uniform(0.5, 1.5, (16, 12, 2, 2)) / 64).astype(np.float32))
    up = net.add("ConvTranspose", three, kernel, kernel_shape=[2, 2], strides=[2, 2])
    x = net.block(net.add("Concat", up, two, axis=1), 24, 12)
    shape = net.add("Shape", one)
    batch = net.add("Slice", net.add("Shape", x), net.integers(0), net.integers(2), net.integers(0))
    sides = net.add("Slice", shape, net.integers(2), net.integers(4), net.integers(0))
    sizes = net.add("Concat", batch, sides, axis=0)
    up = net.resize(x, sizes, mode="linear", coordinate_transformation_mode="half_pixel")
    x = net.block(net.add("Concat", up, one, axis=1), 20, 8)
    return net.model(net.add("Sigmoid", net.conv(x, 8, 3)))


def pixel_shuffle(version: tuple[int, int] = PLAIN) -> onnx.ModelProto:
    """An ESRGAN-like upscaler ×2: residual blocks, and a pixel shuffle of Reshape, Transpose, Reshape."""
    net = Network(version)
    x = first = net.block("input", 3, 8)
    for _ in range(2):
        inner = net.add("LeakyRelu", net.conv(x, 8, 8), alpha=0.2)
        x = net.add("Add", net.add("Mul", net.conv(inner, 8, 8), net.constant(np.array(0.2, np.float32))), x)
    x = net.conv(net.add("Add", x, first), 8, 12)
    height, width = net.size_of(x)
    two = net.constant(np.array([2], np.int64))
    wide = net.add("Concat", net.integers(-1, 3, 2, 2), height, width, axis=0)
    x = net.add("Transpose", net.add("Reshape", x, wide), perm=[0, 1, 4, 2, 5, 3])
    large = net.add("Concat", net.integers(-1, 3), net.add("Mul", height, two), net.add("Mul", width, two), axis=0)
    return net.model(net.add("Reshape", x, large))


def resized_by_shape(version: tuple[int, int] = PLAIN) -> onnx.ModelProto:
    """Twice the size, from Shape, Cast, Mul, Floor: as older exporters write interpolate(scale_factor=2)."""
    net = Network(version)
    x = net.block("input", 3, 8)
    parts = [net.integers(1, 8)]
    for side in net.size_of(x):
        real = net.add("Mul", net.add("Cast", side, to=TensorProto.FLOAT), net.constant(np.array([2.0], np.float32)))
        parts.append(net.add("Cast", net.add("Floor", real), to=TensorProto.INT64))
    sizes = net.add("Concat", *parts, axis=0)
    x = net.resize(x, sizes, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    return net.model(net.conv(x, 8, 3))


def squeeze_and_excite(version: tuple[int, int] = PLAIN) -> onnx.ModelProto:
    net = Network(version)
    x = net.block("input", 3, 8)
    gate = net.add("Sigmoid", net.conv(net.add("GlobalAveragePool", x), 8, 8, kernel=1))
    return net.model(net.conv(net.add("Mul", x, gate), 8, 3))


def fixed_size(version: tuple[int, int] = PLAIN) -> onnx.ModelProto:
    net = Network(version, size=(64, 96))
    return net.model(net.conv("input", 3, 3))


def save(model: onnx.ModelProto, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    return path
