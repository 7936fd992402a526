"""What goes wrong is told in one clear message, with the right exit code, and a later run does not trip over it."""

from __future__ import annotations

import csv
import os
import shutil
import struct
import subprocess
import time
import zlib
from pathlib import Path

import pytest
from PIL import Image
from runs import BINARY, BROKEN, ENGINE_VARIABLE, PAGES, UPSCALE, Job, digest, environment, pantile, run, verified
from test_same_results import MPIRUN


def refused(*arguments: object, code: int = 2, words: list[str]) -> str:
    """Runs, and asserts the exit code and that stderr has all of the words."""
    done = pantile(*arguments)
    assert done.returncode == code, done.stderr
    assert done.stderr.endswith("\n"), "the shell's prompt follows on a line of its own"
    for word in words:
        assert word in done.stderr, f"no '{word}' in:\n{done.stderr}"
    return done.stderr


@pytest.mark.parametrize("ranks", ["1", "3"])
def test_a_cut_jpeg_goes_to_quarantine_and_the_rest_is_done(tmp_path: Path, ranks: str) -> None:
    job = Job(tmp_path, inputs=[BROKEN, PAGES], include=["page-cut.jpg", "small*", "page-0[1-3]*"]).write()
    done = run(job, tmp_path / "out", "--ranks", ranks, code=3)
    assert "page-cut.jpg" in done.stderr
    assert "JPEG ends after" in done.stderr
    report = verified(tmp_path / "out")
    assert (report["items"], report["done"], report["quarantined"]) == (6, 5, 1)
    with (tmp_path / "out" / "quarantine.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["path"], row["reason"]) for row in rows] == [("page-cut.jpg", "truncated")]
    # It is settled: the same command has nothing to do, and says so by the same code.
    run(job, tmp_path / "out", code=3)
    inspected = pantile("inspect", tmp_path / "out", "page-cut.jpg")
    assert "JPEG ends after" in inspected.stdout


def test_files_that_are_no_images_are_in_quarantine_by_their_header(tmp_path: Path) -> None:
    job = Job(tmp_path, inputs=[BROKEN, PAGES], include=["*.png"]).write()
    run(job, tmp_path / "out", code=3)
    with (tmp_path / "out" / "quarantine.csv").open() as file:
        assert {row["path"] for row in csv.DictReader(file)} == {"empty.png", "text.png"}


@pytest.mark.parametrize("ranks", ["1", "3"])
def test_a_missing_model_is_told_before_anything_starts(tmp_path: Path, ranks: str) -> None:
    job = Job(tmp_path, model=tmp_path / "absent.onnx").write()
    refused("run", job, "--ranks", ranks, words=["absent.onnx", "pipeline.stage.model"])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("ranks", ["1", "2"])
def test_a_file_that_is_not_onnx_is_told_in_words(tmp_path: Path, ranks: str) -> None:
    job = Job(tmp_path, model=PAGES / "page-01.png").write()
    said = refused("run", job, "--ranks", ranks, words=["page-01.png is not an ONNX model"])
    assert said.count("is not an ONNX model") == 1, said
    assert not (tmp_path / "out").exists()


def test_a_missing_input_folder_is_told(tmp_path: Path) -> None:
    job = Job(tmp_path, inputs=[tmp_path / "nowhere"]).write()
    refused("run", job, words=["nowhere"])
    assert not (tmp_path / "out").exists()


def test_a_color_that_does_not_fit_the_model_is_told(tmp_path: Path) -> None:
    job = Job(tmp_path, image="{color: Y}").write()
    refused("run", job, words=["image.color", "Set color: RGB"])


def test_an_output_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    job = Job(tmp_path, include=["small.png"]).write()
    refused("run", job, "--output", tmp_path / "file" / "out", code=1, words=["file"])


def test_another_identity_in_the_same_folder_is_refused_with_the_difference(tmp_path: Path) -> None:
    job = Job(tmp_path, include=["small.png"]).write()
    run(job, tmp_path / "out")
    before = digest(tmp_path / "out")
    refused("run", job, "--output", tmp_path / "out", "--set", "pipeline.stage.image.scale=1/127", words=["1/127"])
    assert digest(tmp_path / "out") == before
    run(job, tmp_path / "out", "--set", "pipeline.stage.image.scale=1/127", "--fresh")
    assert digest(tmp_path / "out") != before
    assert len(list(tmp_path.glob("out.old-*"))) == 1


def test_a_cap_that_is_too_small_is_told_with_what_would_do(tmp_path: Path) -> None:
    job = Job(tmp_path, include=["small.png"]).write()
    refused("run", job, "--set", "devices.memory.cap=20MiB", words=["devices.memory.cap", "MiB would do"])


def test_a_mistyped_key_is_shown_with_its_place(tmp_path: Path) -> None:
    job = Job(tmp_path, keys=["devices: {jobs_per_devcie: 2}"]).write()
    refused("run", job, words=["job.yaml:8:11", "^^^", "did you mean 'jobs_per_device'", "nothing was started"])


def test_a_mistyped_command_is_answered_with_the_right_one(tmp_path: Path) -> None:
    refused("rnu", tmp_path, words=["unknown command 'rnu'", "'run'"])
    refused("verify", tmp_path, words=["no run in"])


def test_a_file_that_changed_since_the_catalog_is_not_mixed_in(tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "a.png").write_bytes((PAGES / "small.png").read_bytes())
    job = Job(tmp_path, inputs=[pages]).write()
    run(job, tmp_path / "out")
    (pages / "a.png").write_bytes((PAGES / "page-06.png").read_bytes())
    # The catalog stands: the item is done, and nothing is made again.
    run(job, tmp_path / "out")
    refused("run", Job(tmp_path, model=UPSCALE, inputs=[pages], image="{border: reflect}").write(),
            "--output", tmp_path / "out", words=["border"])  # fmt: skip


def test_a_header_that_claims_a_vast_image_costs_one_item(tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    shutil.copy(PAGES / "small.png", pages)
    for name, side in {"vast.png": 2**31 - 1, "large.png": 100_000_000, "wide.png": 70_000}.items():
        size = struct.pack(">II", side, side)
        body = b"IHDR" + size + bytes([8, 2, 0, 0, 0])
        chunks = [struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body)), struct.pack(">I", 9) + b"IDAT" + bytes(13)]
        (pages / name).write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    job = Job(tmp_path, inputs=[pages]).write()
    run(job, tmp_path / "out", code=3)
    with (tmp_path / "out" / "quarantine.csv").open() as file:
        reasons = {row["path"]: row["reason"] for row in csv.DictReader(file)}
    assert reasons == {"vast.png": "too_large", "large.png": "too_large", "wide.png": "too_large"}


def test_the_catalog_of_a_start_that_died_is_not_taken_for_another_jobs(tmp_path: Path) -> None:
    run(Job(tmp_path / "a", include=["small.png"]).write(), tmp_path / "out")
    for left in [path for path in (tmp_path / "out").iterdir() if path.name != "catalog.h5"]:
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    run(Job(tmp_path / "b", include=["page-01.png", "page-02.png"]).write(), tmp_path / "out")
    assert "page-01.png" in pantile("inspect", tmp_path / "out", "page-01.png").stdout
    assert verified(tmp_path / "out")["items"] == 2


def test_an_output_folder_may_have_an_apostrophe(tmp_path: Path) -> None:
    run(Job(tmp_path, include=["small.png"]).write(), tmp_path / "O'Brien's")
    assert verified(tmp_path / "O'Brien's")["done"] == 1


def test_an_image_that_is_turned_under_way_is_told_and_not_mixed_in(tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    encoded = (PAGES / "turned.jpg").read_bytes()
    (pages / "a.jpg").write_bytes(encoded)
    job = Job(tmp_path, inputs=[pages], include=["*.jpg"]).write()
    begun(job, tmp_path / "out", wait_for="run.yaml")
    at = encoded.index(b"\x01\x12\x00\x03\x00\x00\x00\x01") if b"MM\x00*" in encoded[:64] else encoded.index(b"\x12\x01\x03\x00\x01\x00\x00\x00")
    value = at + (9 if b"MM\x00*" in encoded[:64] else 8)
    # 6 and 8, and 1 and 3, have the same extent.
    other = {6: 8, 8: 6, 1: 3, 3: 1, 5: 7, 7: 5}[encoded[value]]
    (pages / "a.jpg").write_bytes(encoded[:value] + bytes([other]) + encoded[value + 1 :])
    done = run(job, tmp_path / "out", code=3)
    assert f"orientation {other}" in done.stderr


def test_a_file_that_grows_under_way_is_told_and_not_mixed_in(tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    shutil.copy(PAGES / "small.png", pages)
    job = Job(tmp_path, inputs=[pages]).write()
    begun(job, tmp_path / "out", wait_for="run.yaml")
    with (pages / "small.png").open("ab") as file:
        file.write(b"more")  # Behind the end of a PNG: no decoder minds.
    done = run(job, tmp_path / "out", code=3)
    assert "had" in done.stderr
    assert "when the catalog was made" in done.stderr


def begun(job: Path, output: Path, wait_for: str = "journal") -> None:
    """A run that was killed as soon as it had made that file."""
    process = subprocess.Popen([str(BINARY), "run", str(job), "--output", str(output)], env=environment(), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (output / wait_for).exists():
        time.sleep(0.01)
    process.kill()
    process.wait()


@pytest.mark.parametrize("ranks", ["1", "3"])
def test_an_input_that_is_away_costs_no_item(tmp_path: Path, ranks: str) -> None:
    pages = tmp_path / "pages"
    shutil.copytree(PAGES, pages)
    job = Job(tmp_path, inputs=[pages]).write()
    begun(job, tmp_path / "out")
    pages.rename(tmp_path / "away")
    refused("run", job, "--output", tmp_path / "out", "--ranks", ranks, words=["pages", "mounted?"])
    (tmp_path / "away").rename(pages)
    run(job, tmp_path / "out", "--ranks", ranks)
    run(job, tmp_path / "whole")
    assert digest(tmp_path / "out") == digest(tmp_path / "whole")


def test_an_input_that_goes_away_under_way_costs_no_item(tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    shutil.copytree(PAGES, pages)
    job = Job(tmp_path, inputs=[pages]).write()
    process = subprocess.Popen(
        [str(BINARY), "run", str(job), "--output", str(tmp_path / "out"), "--set", "devices.jobs_per_device=1"],
        env=environment(), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not list((tmp_path / "out" / "shards").glob("*")):
        time.sleep(0.005)
    pages.rename(tmp_path / "away")
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1, said
    assert "cannot be reached" in said
    (tmp_path / "away").rename(pages)
    run(job, tmp_path / "out")
    run(job, tmp_path / "whole")
    assert digest(tmp_path / "out") == digest(tmp_path / "whole")


def test_a_project_that_moved_goes_on_with_the_files_where_they_are_now(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    shutil.copytree(PAGES, old / "pages")
    job = Job(old, inputs=[Path("pages")]).write()
    begun(job, old / "out")
    old.rename(new)
    run(new / "job.yaml", new / "out")
    report = verified(new / "out")
    assert (report["done"], report["quarantined"]) == (report["items"], 0)


@pytest.mark.parametrize("ranks", ["1", "3"])
def test_an_output_folder_that_cannot_even_be_looked_at_is_told(tmp_path: Path, ranks: str) -> None:
    job = Job(tmp_path, include=["small.png"]).write()
    refused("run", job, "--output", tmp_path / ("n" * 300), "--ranks", ranks, code=1, words=["File name too long"])


def test_a_rank_that_cannot_open_its_device_leaves_the_work_to_the_others(tmp_path: Path) -> None:
    job = Job(tmp_path, include=["small*", "page-0*"]).write()
    command = [str(BINARY), "run", str(job), "--output", str(tmp_path / "out")]
    broken = ["env", f"{ENGINE_VARIABLE}={tmp_path / 'absent.so'}"]
    launched = ["mpirun", "--oversubscribe", "-n", "1", *command, ":", "-n", "1", *broken, *command, ":", "-n", "1", *command]
    done = subprocess.run(launched, env=environment(), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "rank 1 gives up" in done.stderr
    assert "absent.so" in done.stderr
    run(job, tmp_path / "whole")
    assert digest(tmp_path / "out") == digest(tmp_path / "whole")


def bmp_and_png(folder: Path) -> Path:
    folder.mkdir()
    with Image.open(PAGES / "small.png") as image:
        image.convert("RGB").save(folder / "a.bmp")
    shutil.copy(PAGES / "small-grey.jpg", folder / "b.jpg")
    return folder


def test_a_rank_without_the_module_of_a_format_leaves_it_to_the_others(tmp_path: Path) -> None:
    job = Job(tmp_path, inputs=[bmp_and_png(tmp_path / "images")]).write()
    without = ["env", f"PANTILE_IMGCODECS_LIB={tmp_path / 'absent.so'}"]
    # Alone it cannot go on: no good file goes to quarantine for what its machine lacks.
    alone = subprocess.run([*without, str(BINARY), "run", str(job)], env=environment(), capture_output=True, text=True, timeout=60, check=False)
    assert alone.returncode == 1
    assert "absent.so" in alone.stderr
    assert not (tmp_path / "out" / "quarantine.csv").exists()
    command = [str(BINARY), "run", str(job), "--output", str(tmp_path / "out")]
    launched = ["mpirun", "--oversubscribe", "-n", "1", *command, ":", "-n", "1", *without, *command, ":", "-n", "1", *command]
    done = subprocess.run(launched, env=environment(), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert verified(tmp_path / "out")["done"] == 2


def test_when_mpirun_cannot_start_the_ranks_its_reason_is_told(tmp_path: Path) -> None:
    job = Job(tmp_path, include=["small.png"]).write()
    done = subprocess.run(
        [str(BINARY), "run", str(job), "--ranks", "3"],
        env={**environment(), "OMPI_MCA_plm": "nonesuch"}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "mpirun could not start the ranks" in done.stderr, done.stderr
    assert "nonesuch" in done.stderr, done.stderr


def test_ranks_that_do_not_share_the_output_are_told_so(tmp_path: Path) -> None:
    """The worker writes to a disk of its own, mounted where rank 0 sees another one."""
    output = tmp_path / "out"
    output.mkdir()
    mounted = ["unshare", "--mount", "sh", "-c", f'mount -t tmpfs none "{output}" && mkdir "{output}/shards" "{output}/logs" && exec "$@"', "sh"]
    if os.geteuid() != 0 or subprocess.run([*mounted, "true"], check=False).returncode != 0:
        pytest.skip("no right to mount a disk here")
    command = [str(BINARY), "run", str(Job(tmp_path).write()), "--output", str(output)]
    done = subprocess.run([*MPIRUN, "1", *command, ":", "-n", "1", *mounted, *command], capture_output=True, text=True, env=environment(), timeout=120, check=False)
    assert done.returncode == 1, done.stderr
    assert "Do all ranks see the same" in done.stderr, done.stderr
    run(tmp_path / "job.yaml", output)


@pytest.fixture
def small_disk(tmp_path: Path):  # noqa: ANN201
    """A disk of 12 MiB, for tests that fill it. Needs the right to mount."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12M", "none", folder], check=False).returncode != 0:
        pytest.skip("no right to mount a small disk here")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("ranks", ["1", "3"])
def test_a_full_disk_ends_the_run_in_words_and_harms_nothing(tmp_path: Path, small_disk: Path, ranks: str) -> None:
    job = Job(tmp_path).write()
    said = refused("run", job, "--output", small_disk / "out", "--ranks", ranks, "--set", "output.wait_for_space=0s", code=1, words=["is nearly full"])
    assert len([line for line in said.splitlines() if line.startswith("error:")]) <= 2, said
    assert not list((small_disk / "out" / "shards").glob("*.partial"))
    # The same run goes on once there is space.
    subprocess.run(["mount", "-o", "remount,size=400M", small_disk], check=True)
    run(job, small_disk / "out", "--ranks", ranks)
    run(job, tmp_path / "whole")
    assert digest(small_disk / "out") == digest(tmp_path / "whole")
