"""compare_export.py, on which the promise of equal pixels rests: it accepts equal exports and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import reference

HERE = Path(__file__).resolve().parent
DATA = HERE.parent / "data"
MODEL = DATA / "models" / "upscale2x.onnx"
NAMES = ["small.png", "small-grey.jpg", "turned.jpg", "sticker.png"]


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """A few sample pages, and an export of them that is right."""
    images, export = tmp_path / "images", tmp_path / "export"
    session = reference.open_model(MODEL)
    for name in NAMES:
        item = images / "deep" / name
        item.parent.mkdir(parents=True, exist_ok=True)
        item.write_bytes((DATA / "pages" / name).read_bytes())
        place = export / "deep" / Path(name).with_suffix(".png")
        place.parent.mkdir(parents=True, exist_ok=True)
        reference.as_image(reference.apply(session, reference.decode(item), halo=5)).save(place)
    return images, export


def compare(folders: tuple[Path, Path], *options: str) -> tuple[int, str]:
    """Exit code and output of the tool."""
    command = [sys.executable, str(HERE / "compare_export.py"), str(MODEL), *map(str, folders), "--halo", "5", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, done.stdout + done.stderr


def test_equal_export_is_accepted(folders: tuple[Path, Path]) -> None:
    (folders[0] / "cut.jpg").write_bytes((DATA / "broken" / "page-cut.jpg").read_bytes())
    assert compare(folders) == (0, "4 equal, 0 different, 1 unreadable, 0 left out above 20 MP\n")


def test_one_sample_that_is_one_level_off_is_found(folders: tuple[Path, Path]) -> None:
    path = folders[1] / "deep" / "turned.png"
    wrong = np.array(Image.open(path))
    wrong[17, 5, 2] ^= 1
    Image.fromarray(wrong).save(path)
    code, text = compare(folders)
    assert code == 1
    assert "turned.jpg: 1 of" in text
    assert "by 1 at most, the first at y 17, x 5, channel 2" in text
    assert "3 equal, 1 different" in text


def test_a_missing_export_an_invented_one_and_an_empty_comparison_are_refused(folders: tuple[Path, Path]) -> None:
    (folders[1] / "deep" / "small.png").unlink()
    (folders[0] / "cut.jpg").write_bytes((DATA / "broken" / "page-cut.jpg").read_bytes())
    Image.new("RGB", (840, 1200)).save(folders[1] / "cut.png")
    code, text = compare(folders)
    assert code == 1
    assert "no export at" in text
    assert "cut.jpg: has an export, but cannot be read" in text
    assert compare(folders, "--max-mp", "0.0001")[0] == 1, "nothing was compared"
