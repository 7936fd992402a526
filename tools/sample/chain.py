"""A plain chain of convolutions as an ONNX file: Conv, LeakyRelu, and DepthToSpace at the end of an upscaler.

The graph is built with onnx.helper rather than exported, so that it holds these three operators and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET, IR_VERSION = 17, 8  # old enough for every ONNX Runtime that Pantile accepts


@dataclass(frozen=True)
class Layer:
    """One convolution. `weight` is [out, in, height, width]; `slope` is LeakyRelu's, None for a linear layer."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    slope: float | None = None
    padding: int = 0


def save_chain(layers: list[Layer], path: Path, *, scale: int, note: str) -> int:
    """Writes the chain, float32 NCHW with dynamic N, H, W, and returns its number of parameters.

    With scale s > 1 the last layer has channels × s² outputs, which DepthToSpace (CRD) spreads over s × s pixels.
    """
    nodes, weights, tensor = [], [], "input"
    for i, layer in enumerate(layers, 1):
        names = [f"conv{i}.weight", f"conv{i}.bias"]
        weights += [numpy_helper.from_array(a, n) for a, n in zip((layer.weight, layer.bias), names, strict=True)]
        last = i == len(layers) and scale == 1
        made = "output" if last and layer.slope is None else f"conv{i}.out"
        side = layer.weight.shape[2]
        nodes.append(
            helper.make_node(
                "Conv", [tensor, *names], [made], name=f"conv{i}", kernel_shape=[side, side], pads=[layer.padding] * 4
            )
        )
        tensor = made
        if layer.slope is not None:
            made = "output" if last else f"act{i}.out"
            nodes.append(helper.make_node("LeakyRelu", [tensor], [made], name=f"act{i}", alpha=layer.slope))
            tensor = made
    if scale > 1:
        nodes.append(
            helper.make_node("DepthToSpace", [tensor], ["output"], name="to_pixels", blocksize=scale, mode="CRD")
        )
    inputs, outputs = layers[0].weight.shape[1], layers[-1].weight.shape[0] // scale**2
    graph = helper.make_graph(
        nodes,
        path.stem,
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", inputs, "h", "w"])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["n", outputs, "out_h", "out_w"])],
        weights,
    )
    model = helper.make_model(graph, producer_name="pantile", opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version, model.doc_string = IR_VERSION, note
    onnx.checker.check_model(model, full_check=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString(deterministic=True))
    return sum(layer.weight.size + layer.bias.size for layer in layers)
