"""Other people's files, from end to end: every good one is done, every bad one is in quarantine with a plain reason."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from processes import executors_of, kill
from runs import BINARY, SHARPEN, TEST_DATA, Job, digest, environment, needs_test_data, peak_bytes, run, verified

SANITIZED = bool(os.environ.get("PANTILE_SANITIZE"))

# Odd, but all their pixels are there; the table of every file and its reason is tests/codec/real_images_test.cpp.
# One of them is too large to be decoded whole, and is not: its rows cost no memory to speak of.
READABLE = {
    "truncated-app14.jpg", "junk-header.jpg", "exif-typeerror.jpg", "text-bomb.png", "unknown-compression.png", "bomb-280mp-grey.jpg",
}  # fmt: skip
JARGON = re.compile(r"libjpeg|libpng|libtiff|errno|0x[0-9a-f]{4}|std::|nullptr|assert", re.IGNORECASE)


def quarantine(output: Path) -> dict[str, dict[str, str]]:
    with (output / "quarantine.csv").open() as file:
        return {row["path"]: row for row in csv.DictReader(file)}


@pytest.mark.parametrize("ranks", ["1", "3"])
def test_of_the_corrupt_folder_every_bad_file_is_told_and_every_good_one_done(tmp_path: Path, ranks: str) -> None:
    needs_test_data()
    folder = TEST_DATA / "images" / "corrupt"
    job = Job(tmp_path, model=SHARPEN, image="{color: Y, scale: 1/255}", inputs=[folder]).write()
    done = run(job, tmp_path / "out", "--ranks", ranks, code=3)
    files = {path.name for path in folder.iterdir()}
    rows = quarantine(tmp_path / "out")
    report = verified(tmp_path / "out")
    assert (report["items"], report["quarantined"]) == (len(files), len(rows))
    assert report["done"] == len(files) - len(rows)
    assert files - set(rows) == READABLE
    for name, row in rows.items():
        assert row["reason"] in {"not_an_image", "unsupported", "truncated", "corrupt", "too_large"}, (name, row)
        assert len(row["detail"]) > 20, (name, row)
        assert not JARGON.search(row["detail"]), (name, row)
        assert name in done.stderr


def test_every_file_of_the_formats_folder_is_done_and_its_cbz_is_the_same_run(tmp_path: Path) -> None:
    needs_test_data()
    folder = TEST_DATA / "images" / "formats"
    archive = tmp_path / "formats.cbz"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as cbz:
        for path in sorted(folder.iterdir(), reverse=True):
            cbz.write(path, path.name)
    digests = []
    for name, source, ranks in (("folder", folder, "1"), ("cbz", archive, "3")):
        job = Job(tmp_path / name, model=SHARPEN, image="{color: Y, scale: 1/255}", inputs=[source]).write()
        run(job, tmp_path / name / "out", "--ranks", ranks)
        digests.append(digest(tmp_path / name / "out"))
    assert digests[0] == digests[1]


def tiled_tiff(path: Path, side: int) -> np.ndarray:
    """A tiled grey TIFF of side × side pixels, written with what the standard asks for and no more; returns its pixels."""
    tile = 256
    tiles = side // tile
    steps = np.arange(side)
    pixels = np.add.outer((steps // 5).astype(np.uint8), (steps // 7).astype(np.uint8))
    entries = [
        (256, 4, 1, side), (257, 4, 1, side), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (277, 3, 1, 1),
        (322, 3, 1, tile), (323, 3, 1, tile),
    ]  # fmt: skip
    count = tiles * tiles
    head = 8 + 2 + 12 * (len(entries) + 2) + 4
    offsets_at = head
    counts_at = offsets_at + 4 * count
    data_at = counts_at + 4 * count
    entries += [(324, 4, count, offsets_at), (325, 4, count, counts_at)]
    with path.open("wb") as file:
        file.write(b"II*\0" + (8).to_bytes(4, "little") + len(entries).to_bytes(2, "little"))
        for tag, kind, number, value in entries:
            file.write(tag.to_bytes(2, "little") + kind.to_bytes(2, "little") + number.to_bytes(4, "little") + value.to_bytes(4, "little"))
        file.write((0).to_bytes(4, "little"))
        file.write(np.arange(data_at, data_at + count * tile * tile, tile * tile, dtype="<u4").tobytes())
        file.write(np.full(count, tile * tile, dtype="<u4").tobytes())
        for row in range(tiles):
            for column in range(tiles):
                file.write(pixels[row * tile : (row + 1) * tile, column * tile : (column + 1) * tile].tobytes())
    return pixels


def test_a_large_image_is_read_in_parts_and_never_whole(tmp_path: Path) -> None:
    """A tiled TIFF by region, a PNG and a JPEG by bands of rows; a PGM has no parts and tells what is right."""
    side = 8192  # 67 MP, 64 MiB of grey pixels
    pixels = tiled_tiff(tmp_path / "large.tif", side)
    Image.fromarray(pixels).save(tmp_path / "large.png", compress_level=1)
    Image.fromarray(pixels).save(tmp_path / "large.pgm")
    Image.fromarray(pixels).save(tmp_path / "photo.jpg", quality=60)
    with Image.open(tmp_path / "photo.jpg") as photo:
        photo.save(tmp_path / "photo.pgm")
    small = ["--set", f"devices.memory.cap={1024 if SANITIZED else 128}MiB", "--set", "limits.max_pixels=1MP", "--set", "limits.max_file_size=1MiB"]
    peaks, digests = {}, {}
    for name, sets in (("large.tif", small), ("large.png", small), ("large.pgm", []), ("photo.jpg", small), ("photo.pgm", [])):
        folder = tmp_path / name.replace(".", "-")
        job = Job(folder, model=SHARPEN, image="{color: Y, scale: 1/255}", inputs=[tmp_path / name]).write()
        peaks[name] = peak_bytes(job, folder / "out", *sets)
        digests[name] = digest(folder / "out")
    assert digests["large.tif"] == digests["large.png"] == digests["large.pgm"]
    assert digests["photo.jpg"] == digests["photo.pgm"] != digests["large.pgm"]
    if not SANITIZED:
        assert max(peaks["large.tif"], peaks["large.png"], peaks["photo.jpg"]) < 132 << 20 < peaks["large.pgm"], peaks


@pytest.mark.parametrize("alpha", ["drop", "white"])
def test_bands_of_rows_make_what_the_whole_image_makes(tmp_path: Path, alpha: str) -> None:
    """A larger file than may be read whole comes in bands. Each overlaps the next, and no row is laid over white twice."""
    noise = np.random.default_rng(5).integers(0, 256, (4500, 700, 4), dtype=np.uint8)
    Image.fromarray(noise, "RGBA").save(tmp_path / "noise.png", compress_level=1)
    digests = {}
    for limit in ("64MiB", "1MiB"):
        folder = tmp_path / limit
        job = Job(folder, model=SHARPEN, image=f"{{color: Y, scale: 1/255, alpha: {alpha}}}", inputs=[tmp_path / "noise.png"]).write()
        run(job, folder / "out", "--set", f"limits.max_file_size={limit}")
        digests[limit] = digest(folder / "out")
    assert digests["64MiB"] == digests["1MiB"]


def test_a_large_png_outlives_its_executor(tmp_path: Path) -> None:
    """The next one begins at another row than the first."""
    side = 8192
    steps = np.arange(side)
    pixels = np.add.outer((steps // 5).astype(np.uint8), (steps // 7).astype(np.uint8))
    Image.fromarray(pixels).save(tmp_path / "large.png", compress_level=1)
    job = Job(tmp_path, model=SHARPEN, image="{color: Y, scale: 1/255}", inputs=[tmp_path / "large.png"]).write()
    run(job, tmp_path / "whole")
    process = subprocess.Popen([str(BINARY), "run", str(job), "--output", str(tmp_path / "out")], env=environment(), stderr=subprocess.PIPE, text=True)
    killed = []
    for pause_s in (0.8, 1.6):
        time.sleep(pause_s)
        killed += executors_of(tmp_path / "out")
        kill(executors_of(tmp_path / "out"))
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 0, said
    assert killed, "it was over before"
    assert digest(tmp_path / "out") == digest(tmp_path / "whole")


def test_a_large_png_that_ends_early_is_found_by_its_last_band(tmp_path: Path) -> None:
    side = 8192
    steps = np.arange(side)
    pixels = np.add.outer((steps // 5).astype(np.uint8), (steps // 7).astype(np.uint8))
    Image.fromarray(pixels).save(tmp_path / "cut.png", compress_level=1)
    with (tmp_path / "cut.png").open("r+b") as file:
        file.truncate((tmp_path / "cut.png").stat().st_size - 1000)
    job = Job(tmp_path, model=SHARPEN, image="{color: Y, scale: 1/255}", inputs=[tmp_path / "cut.png"]).write()
    run(job, tmp_path / "out", code=3)
    held = quarantine(tmp_path / "out")["cut.png"]
    assert held["reason"] == "truncated" and "PNG ends after" in held["detail"], held


def test_beyond_the_limit_for_regions_it_is_refused(tmp_path: Path) -> None:
    tiled_tiff(tmp_path / "large.tif", 1024)
    job = Job(tmp_path, model=SHARPEN, image="{color: Y, scale: 1/255}", inputs=[tmp_path / "large.tif"]).write()
    run(job, tmp_path / "out", "--set", "limits.max_region_pixels=1MP", "--set", "limits.max_pixels=1MP", code=3)
    assert quarantine(tmp_path / "out")["large.tif"]["reason"] == "too_large"


@pytest.mark.parametrize("side", [1024, 8192])  # the larger one would be read by region, were it not in a zip
def test_a_damaged_tiff_in_a_zip_is_not_read_around_its_checksum(tmp_path: Path, side: int) -> None:
    tiled_tiff(tmp_path / "large.tif", side)
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
        packed.write(tmp_path / "large.tif", "large.tif")
    data = bytearray(archive.read_bytes())
    data[600_000] ^= 0xFF  # a pixel: the TIFF itself has no checksum
    archive.write_bytes(bytes(data))
    job = Job(tmp_path, model=SHARPEN, image="{color: Y, scale: 1/255}", inputs=[archive]).write()
    run(job, tmp_path / "whole", code=3)
    assert quarantine(tmp_path / "whole")["large.tif"]["reason"] == "corrupt"
    # Nor does a member that is too large to be read whole get around the limit of files.
    run(job, tmp_path / "limited", "--set", "limits.max_file_size=64KiB", code=3)
    assert quarantine(tmp_path / "limited")["large.tif"]["reason"] == "too_large"
