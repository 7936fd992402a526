"""The results of a run depend on model, inputs and result keys alone: not on ranks, tiles, caps or launchers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from compare_export import main as compare
from PIL import Image
from runs import LIGHT, PAGES, SHARPEN, TEST_DATA, UNET, UPSCALE, Job, digest, needs_test_data, pantile, run, verified

MPIRUN = ("mpirun", "--oversubscribe", "--bind-to", "none", "-n")
# One-block pages, a strip of three blocks, a turned one, and ones smaller than a tile.
FEW = ["strip.jpg", "turned.jpg", "small*", "palette.png", "page-06.png"]


def ways(job: Path, folder: Path, sets: list[list[str]]) -> set[str]:
    """The digests of a job run in each of these ways, each in a folder of its own."""
    digests = set()
    for number, arguments in enumerate(sets):
        output = folder / f"way{number}"
        run(job, output, *arguments)
        digests.add(digest(output))
    return digests


@pytest.mark.parametrize(
    ("model", "image"),
    [(UPSCALE, "{color: RGB, scale: 1/255}"), (SHARPEN, "{color: Y}"), (UPSCALE, "{border: reflect}"),
     (LIGHT, "{}"), (UNET, "{}")],
    ids=["upscale2x", "sharpen_y", "reflect", "light", "unet"],
)
def test_digest_is_equal_for_ranks_tiles_and_lanes(tmp_path: Path, model: Path, image: str) -> None:
    job = Job(tmp_path, model=model, include=FEW, image=image).write()
    sets = [[]] + [["--ranks", n] for n in ("2", "3", "5")]
    sets += [["--set", f"tiles.size={px}"] for px in (64, 96, 256)]
    sets += [["--set", "devices.jobs_per_device=5", "--set", "tiles.size=33"]]
    assert len(ways(job, tmp_path, sets)) == 1


def test_blocks_at_the_edge_of_an_image_that_is_extended_to_an_alignment_are_made(tmp_path: Path) -> None:
    """Its second block looks at pixels that the image has not got: 2,053 is no multiple of 4."""
    (tmp_path / "wide").mkdir()
    Image.linear_gradient("L").resize((2053, 50)).convert("RGB").save(tmp_path / "wide" / "wide.png")
    job = Job(tmp_path, model=UNET, inputs=[tmp_path / "wide"], image="{}").write()
    sets = [["--set", f"tiles.size={px}", "--set", f"devices.isolation={how}"] for px, how in (("64", "none"), ("512", "process"))]
    assert len(ways(job, tmp_path, sets)) == 1


def test_digest_is_equal_under_an_mpirun_of_ones_own(tmp_path: Path) -> None:
    job = Job(tmp_path, include=FEW).write()
    run(job, tmp_path / "own", launcher=(*MPIRUN, "4"))
    run(job, tmp_path / "one", launcher=(*MPIRUN, "1"))
    assert digest(tmp_path / "own") == digest(tmp_path / "one")


def tile_of(done) -> str:  # noqa: ANN001 (a CompletedProcess)
    """The tile that the log of a run names."""
    return done.stderr.split("tiles of ")[1].split(" px")[0]


@pytest.mark.skipif(bool(os.environ.get("PANTILE_SANITIZE")), reason="a sanitizer's shadow memory is resident too, and under the cap")
def test_a_cap_decides_the_tile_and_not_the_result(tmp_path: Path) -> None:
    job = Job(tmp_path, include=FEW).write()
    roomy = run(job, tmp_path / "roomy", "--set", "tiles.size=512")
    tight = run(job, tmp_path / "tight", "--set", "tiles.size=512", "--set", "devices.memory.cap=150MiB")
    assert tile_of(roomy) != tile_of(tight)
    assert digest(tmp_path / "roomy") == digest(tmp_path / "tight")


def test_a_result_key_changes_the_digest(tmp_path: Path) -> None:
    job = Job(tmp_path, include=["small.png"]).write()
    run(job, tmp_path / "a")
    run(job, tmp_path / "b", "--set", "pipeline.stage.image.scale=1/254")
    assert digest(tmp_path / "a") != digest(tmp_path / "b")


@pytest.mark.parametrize(
    ("model", "arguments", "image"),
    [(UPSCALE, ["--halo", "5"], "{}"), (SHARPEN, ["--halo", "0", "--color", "Y"], "{color: Y}")],
    ids=["upscale2x", "sharpen_y"],
)
def test_export_equals_the_whole_image_reference(tmp_path: Path, model: Path, arguments: list[str], image: str) -> None:
    job = Job(tmp_path, model=model, image=image).write()
    run(job, tmp_path / "out", "--set", "tiles.size=96")
    assert pantile("export", tmp_path / "out", tmp_path / "png").returncode == 0
    assert compare([str(model), str(PAGES), str(tmp_path / "png"), *arguments]) == 0


REAL = {
    "waifu2x_upconv7_art_x2": ("{}", ["--halo", "7"]),
    "waifu2x_vgg7_art_noise1": ("{}", ["--halo", "7"]),
    "espcn_y_x3": ("{color: Y}", ["--halo", "0", "--color", "Y"]),
    "dncnn25_gray": ("{color: Y}", ["--halo", "0", "--color", "Y"]),
}
# Ten real images of at most 1 MP, 2.3 MP in all.
TEN = ["chelsea.png", "coins.png", "text.png", "wesat-64.png", "brick.png", "hopper.jpg", "flower-480.jpg", "rocket.jpg",
       "camera.png", "kodim07.png"]  # fmt: skip


@pytest.mark.parametrize("name", REAL)
def test_real_models_give_one_digest_and_the_reference_pixels(tmp_path: Path, name: str) -> None:
    needs_test_data()
    image, arguments = REAL[name]
    model, photos = TEST_DATA / "models" / f"{name}.onnx", TEST_DATA / "images" / "photo"
    ten = tmp_path / "ten"
    ten.mkdir()
    for photo in TEN:
        (ten / photo).symlink_to(photos / photo)
    job = Job(tmp_path, model=model, inputs=[ten], image=image).write()
    run(job, tmp_path / "three", "--ranks", "3", "--set", "tiles.size=96")
    assert pantile("export", tmp_path / "three", tmp_path / "png").returncode == 0
    assert compare([str(model), str(ten), str(tmp_path / "png"), *arguments]) == 0
    few = Job(tmp_path / "few", model=model, inputs=[ten], include=["hopper.jpg", "wesat-64.png", "text.png"], image=image).write()  # fmt: skip
    sets = [[], ["--ranks", "2"], ["--ranks", "5"], ["--set", "tiles.size=64"], ["--set", "tiles.size=256"]]
    assert len(ways(few, tmp_path, sets)) == 1


@pytest.mark.long
@pytest.mark.parametrize("name", REAL)
def test_all_real_images_once_with_three_ranks(tmp_path: Path, name: str) -> None:
    needs_test_data()
    image, _ = REAL[name]
    inputs = [TEST_DATA / "images" / "photo", TEST_DATA / "images" / "art"]
    job = Job(tmp_path, model=TEST_DATA / "models" / f"{name}.onnx", inputs=inputs, image=image).write()
    done = pantile("run", job, "--output", tmp_path / "out", "--ranks", "3", timeout=3000)
    assert done.returncode == 0, done.stderr
    report = verified(tmp_path / "out")
    assert (report["items"], report["done"]) == (38, 38)


@pytest.mark.long
@pytest.mark.parametrize("name", REAL)
def test_ten_real_images_give_one_digest_in_every_way(tmp_path: Path, name: str) -> None:
    needs_test_data()
    inputs, model = [TEST_DATA / "images" / "photo"], TEST_DATA / "models" / f"{name}.onnx"
    job = Job(tmp_path, model=model, inputs=inputs, include=TEN, image=REAL[name][0]).write()
    sets = [[]] + [["--ranks", n] for n in ("2", "3", "5")]
    sets += [["--set", f"tiles.size={px}"] for px in (64, 96, 256)]
    digests = ways(job, tmp_path, sets)
    tiles = set()
    for cap in ("120MiB", "250MiB"):
        done = run(job, tmp_path / "capped", "--fresh", "--set", "tiles.size=512", "--set", f"devices.memory.cap={cap}")
        tiles.add(tile_of(done))
        digests.add(digest(tmp_path / "capped"))
    assert len(tiles) == 2, f"each cap forces its own tile: {tiles}"
    run(job, tmp_path / "own", launcher=(*MPIRUN, "4"))
    assert digests == {digest(tmp_path / "own")}
