"""The committed models: small, plain, worth using. The pages are drawn here, with seeds that training did not see."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper
from PIL import Image, ImageFilter

import reference

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "sample"))
from page import draw_page  # noqa: E402  (a module of tools/sample)

MODELS = ROOT / "tests" / "data" / "models"
UPSCALER, UPSCALER_HALO = MODELS / "upscale2x.onnx", 5
SHARPENER, SHARPENER_HALO = MODELS / "sharpen_y.onnx", 2

# Width, height, panel size; seeds are 900 + position, training used 20000 to 20095.
UNSEEN = [(512, 640, 420), (448, 448, 300), (640, 512, 250), (400, 800, 360)] * 2


def psnr(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Peak signal to noise in dB, over all samples."""
    return float(10 * np.log10(255**2 / np.mean((a.astype(np.float64) - b) ** 2)))


def unseen_page(index: int) -> Image.Image:
    """An RGB page, every other one grey, that the upscaler was not trained on."""
    width, height, panel_px = UNSEEN[index]
    return draw_page(900 + index, width, height, colour=index % 2 == 0, panel_px=panel_px).convert("RGB")


def bicubic(small: Image.Image) -> dict[str, NDArray[np.uint8]]:
    """Twice the size by each bicubic that is installed."""
    size = (2 * small.width, 2 * small.height)
    large = {"Pillow": np.asarray(small.resize(size, Image.Resampling.BICUBIC))}
    try:
        import cv2
    except ImportError:
        return large
    large["OpenCV"] = cv2.resize(np.asarray(small), size, interpolation=cv2.INTER_CUBIC)
    return large


def test_upscaler_beats_bicubic_by_1_db_on_pages_it_was_not_trained_on() -> None:
    session = reference.open_model(UPSCALER)
    ours, others = [], []
    for i in range(len(UNSEEN)):
        page = unseen_page(i)
        small, truth = page.reduce(2), np.asarray(page)
        upscaled = reference.apply(session, np.asarray(small).astype(np.float64), UPSCALER_HALO)
        by_method = {name: psnr(large, truth) for name, large in bicubic(small).items()}
        ours.append(psnr(upscaled, truth))
        others.append(max(by_method.values()))
        listed = ", ".join(f"{name} bicubic {db:.2f} dB" for name, db in by_method.items())
        print(f"page {i}: {ours[-1]:.2f} dB, {listed}")
        assert ours[-1] >= others[-1] + 1.0, f"page {i}"
    print(f"mean: {np.mean(ours):.2f} dB against {np.mean(others):.2f} dB")


@pytest.mark.parametrize("path", [UPSCALER, SHARPENER], ids=lambda p: p.stem)
def test_models_have_at_most_100k_parameters_and_plain_operators(path: Path) -> None:
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert sum(numpy_helper.to_array(w).size for w in model.graph.initializer) <= 100_000
    assert {node.op_type for node in model.graph.node} <= {"Conv", "LeakyRelu", "DepthToSpace"}
    assert (model.opset_import[0].version, model.ir_version) == (17, 8)
    batch, _, height, width = model.graph.input[0].type.tensor_type.shape.dim
    assert all(d.dim_param for d in (batch, height, width)), "any number of images of any size"


@pytest.mark.parametrize(
    ("path", "channels", "scale", "reach", "lost"),
    [(UPSCALER, 3, 2, UPSCALER_HALO, UPSCALER_HALO), (SHARPENER, 1, 1, SHARPENER_HALO, 0)],
    ids=["upscale2x", "sharpen_y"],
)
def test_one_input_pixel_reaches_as_far_as_the_halo_and_no_further(
    path: Path, channels: int, scale: int, reach: int, lost: int
) -> None:
    session, side, at = reference.open_model(path), 41, 20
    values = np.random.default_rng(1).random((1, channels, side, side), dtype=np.float32)
    changed = values.copy()
    changed[:, :, at, at] = 1 - changed[:, :, at, at]
    before, after = (session.run(None, {"input": v})[0] for v in (values, changed))
    assert before.shape == (1, channels, scale * (side - 2 * lost), scale * (side - 2 * lost))
    touched = np.argwhere((before != after).any(axis=(0, 1)))
    first, last = (at - lost - reach) * scale, (at - lost + reach + 1) * scale - 1
    assert touched.min(axis=0).tolist() == [first, first]
    assert touched.max(axis=0).tolist() == [last, last]


def test_sharpener_makes_ink_firmer_and_keeps_paper_white() -> None:
    page = draw_page(950, 300, 300, colour=False)
    grey = np.asarray(page)[2:-2, 2:-2]
    sharper = reference.apply(reference.open_model(SHARPENER), reference.decode_image(page, "Y"))
    sharper = sharper[2:-2, 2:-2, 0]  # the model's zero padding darkens the edge
    paper = np.asarray(page.filter(ImageFilter.MinFilter(5)))[2:-2, 2:-2] == 255
    assert paper.mean() > 0.2
    assert (sharper[paper] == 255).all()
    assert sharper[grey < 128].mean() < grey[grey < 128].mean()
