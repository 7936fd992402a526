"""What goes wrong is told in one clear message, with the right exit code, and a later run does not trip over it."""

from __future__ import annotations

import csv
import os
import subprocess
from pathlib import Path

import pytest
from runs import BROKEN, PAGES, UPSCALE, Job, digest, pantile, run, verified


def refused(*arguments: object, code: int = 2, words: list[str]) -> str:
    """Runs, and asserts the exit code and that stderr has all of the words."""
    done = pantile(*arguments)
    assert done.returncode == code, done.stderr
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
    refused("run", job, "--set", "devices.memory.cap=20MiB", words=["devices.memory.cap", "Raise"])


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
    said = refused("run", job, "--output", small_disk / "out", "--ranks", ranks, code=1, words=["No space left on device"])
    assert len([line for line in said.splitlines() if line.startswith("error:")]) <= 2, said
    assert not list((small_disk / "out" / "shards").glob("*.partial"))
    # The same run goes on once there is space.
    subprocess.run(["mount", "-o", "remount,size=400M", small_disk], check=True)
    run(job, small_disk / "out", "--ranks", ranks)
    run(job, tmp_path / "whole")
    assert digest(small_disk / "out") == digest(tmp_path / "whole")
