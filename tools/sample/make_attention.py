#!/usr/bin/env python3
"""Writes a small vision transformer from image to image, for tests and benches of memory: its weights are random, its pictures noise.

    make_attention.py OUT.onnx [--patch 8] [--width 32] [--heads 2] [--blocks 2] [--seed 1]

Patches of the image are embedded by a convolution, pass blocks of self-attention and a small perceptron each, and become pixels
again by a 1 × 1 convolution and DepthToSpace, added to the input. Height and width are free, as multiples of the patch. What it is
for: each block holds scores of batch × heads × (height × width / patch²)² numbers, so that its memory grows with the square of the
area, and small images do not show that.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx
from graph import Graph
from onnx import TensorProto, helper

OPSET, IR_VERSION = 17, 8


class Transformer(Graph):
    """With weights for what is multiplied."""

    def weights(self, *dims: int) -> str:
        """Random numbers that keep the spread of what they are multiplied with."""
        fan_in = int(np.prod(dims[1:])) if len(dims) == 4 else dims[0]
        return self.constant((self.random.standard_normal(dims) / np.sqrt(fan_in)).astype(np.float32))


def attention(g: Transformer, x: str, width: int, heads: int) -> str:
    """Self-attention over the tokens [batch, tokens, width], added to them."""

    def split(part: str, order: list[int]) -> str:
        return g.add("Transpose", g.add("Reshape", part, g.integers(0, -1, heads, width // heads)), perm=order)

    query = split(g.add("MatMul", x, g.weights(width, width)), [0, 2, 1, 3])
    key = split(g.add("MatMul", x, g.weights(width, width)), [0, 2, 3, 1])
    value = split(g.add("MatMul", x, g.weights(width, width)), [0, 2, 1, 3])
    scale = g.constant(np.array(1 / np.sqrt(width // heads), np.float32))
    scores = g.add("Softmax", g.add("Mul", g.add("MatMul", query, key), scale), axis=-1)
    mixed = g.add("Transpose", g.add("MatMul", scores, value), perm=[0, 2, 1, 3])
    joined = g.add("Reshape", mixed, g.integers(0, -1, width))
    return g.add("Add", x, g.add("MatMul", joined, g.weights(width, width)))


def perceptron(g: Transformer, x: str, width: int) -> str:
    """Two layers for each token, added to it."""
    inner = g.add("Relu", g.add("MatMul", x, g.weights(width, 2 * width)))
    return g.add("Add", x, g.add("MatMul", inner, g.weights(2 * width, width)))


def make(patch: int, width: int, heads: int, blocks: int, seed: int) -> onnx.ModelProto:
    """The model."""
    g = Transformer(seed)
    embedded = g.add("Conv", "input", g.weights(width, 3, patch, patch), kernel_shape=[patch, patch], strides=[patch, patch])
    shape = g.add("Shape", embedded)
    tokens = g.add("Transpose", g.add("Reshape", embedded, g.integers(0, width, -1)), perm=[0, 2, 1])
    for _ in range(blocks):
        tokens = perceptron(g, attention(g, tokens, width, heads), width)
    features = g.add("Reshape", g.add("Transpose", tokens, perm=[0, 2, 1]), shape)
    head = g.add("Conv", features, g.weights(3 * patch * patch, width, 1, 1), kernel_shape=[1, 1])
    output = g.add("Add", "input", g.add("DepthToSpace", head, blocksize=patch, mode="CRD"))
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3, "H", "W"]) for name in ("input", output)]
    graph = helper.make_graph(g.nodes, "attention", ends[:1], ends[1:], g.constants)
    graph.doc_string = f"Vision transformer with random weights, patches of {patch} px. tools/sample/make_attention.py"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="make_attention.py")
    onnx.checker.check_model(model)
    return model


def main() -> None:
    """Writes the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT.onnx")
    parser.add_argument("--patch", type=int, default=8)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--heads", type=int, default=2)
    parser.add_argument("--blocks", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if args.width % args.heads:
        parser.error("--width must be a multiple of --heads")
    onnx.save(make(args.patch, args.width, args.heads, args.blocks, args.seed), args.out)
    print(f"{args.out}: {args.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
