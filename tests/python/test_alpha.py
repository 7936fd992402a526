"""What becomes of an alpha channel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from runs import PAGES, Job, digest, run


def a_run(folder: Path, pixels: np.ndarray, alpha: str) -> str:
    images = folder / "images"
    images.mkdir(parents=True)
    Image.fromarray(pixels).save(images / "a.png")
    job = Job(folder, inputs=[images], image=f"{{color: RGB, scale: 1/255, alpha: {alpha}}}").write()
    run(job, folder / "out")
    return digest(folder / "out")


def test_white_is_laid_under_and_drop_forgets(tmp_path: Path) -> None:
    with Image.open(PAGES / "sticker.png") as image:
        stored = np.asarray(image.convert("RGBA")).astype(np.uint32)
    colour, alpha = stored[..., :3], stored[..., 3:]
    over_white = (colour * alpha + 255 * (255 - alpha) + 127) // 255
    assert (over_white != colour).any(), "the sample has pixels that are not opaque"
    rgba = stored.astype(np.uint8)
    assert a_run(tmp_path / "white", rgba, "white") == a_run(tmp_path / "laid", over_white.astype(np.uint8), "drop")
    assert a_run(tmp_path / "drop", rgba, "drop") == a_run(tmp_path / "plain", colour.astype(np.uint8), "white")
