"""`pantile init`: from a folder of images to a job that runs."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from runs import BINARY, BROKEN, PAGES, SHARPEN, UPSCALE, environment

ODD_NAMES = ["my pages", "a: b", "007", "grüße", "it's \"so\"", "true", "~", "#1", "[x]", "*", "back\\slash", "日本"]


def pantile(folder: Path, *words: object) -> subprocess.CompletedProcess:
    line = [str(BINARY), *map(str, words)]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, env=environment(), timeout=120)


def some_pages(folder: Path) -> Path:
    folder.mkdir(parents=True)
    smallest = sorted(PAGES.iterdir(), key=lambda page: page.stat().st_size)[:2]
    for page in smallest:
        shutil.copy(page, folder)
    return folder


@pytest.mark.parametrize("name", ODD_NAMES)
def test_the_job_runs_whatever_the_folder_is_called(tmp_path: Path, name: str) -> None:
    some_pages(tmp_path / name)
    made = pantile(tmp_path, "init", name, "--model", UPSCALE)
    assert made.returncode == 0, made.stderr
    assert "2 images in 1 folder" in made.stderr
    ran = pantile(tmp_path, "run", "job.yaml", "--quiet")
    assert ran.returncode == 0, ran.stderr + (tmp_path / "job.yaml").read_text()
    assert (tmp_path / "out" / name / "journal").is_file()


def test_the_model_decides_the_colour(tmp_path: Path) -> None:
    some_pages(tmp_path / "pages")
    made = pantile(tmp_path, "init", "pages", "--model", SHARPEN)
    assert "reads 1 channel, " in made.stderr
    assert pantile(tmp_path, "run", "job.yaml", "--quiet").returncode == 0


def test_without_a_model_only_its_name_is_missing(tmp_path: Path) -> None:
    some_pages(tmp_path / "pages")
    assert pantile(tmp_path, "init", "pages").returncode == 0
    job = tmp_path / "job.yaml"
    refused = pantile(tmp_path, "run", "job.yaml")
    assert refused.returncode == 2 and "MODEL.onnx" in refused.stderr
    shutil.copy(UPSCALE, tmp_path / "MODEL.onnx")
    assert pantile(tmp_path, "run", "job.yaml", "--quiet").returncode == 0, job.read_text()


def test_nothing_is_replaced_without_force(tmp_path: Path) -> None:
    some_pages(tmp_path / "pages")
    job = tmp_path / "job.yaml"
    job.write_text("mine\n")
    refused = pantile(tmp_path, "init", "pages")
    assert refused.returncode == 2 and "--force" in refused.stderr
    assert job.read_text() == "mine\n"
    assert pantile(tmp_path, "init", "pages", "--force").returncode == 0
    assert job.read_text() != "mine\n"
    for place, words in (("no/such/job.yaml", "no such folder"), ("pages", "is a folder")):
        refused = pantile(tmp_path, "init", "pages", "--output", place, "--force")
        assert refused.returncode == 2 and words in refused.stderr, refused.stderr
    dangling = tmp_path / "link.yaml"
    dangling.symlink_to(tmp_path / "gone.yaml")
    assert pantile(tmp_path, "init", "pages", "--output", "link.yaml").returncode == 2


def test_paths_count_from_the_job_file(tmp_path: Path) -> None:
    some_pages(tmp_path / "data" / "pages")
    (tmp_path / "jobs").mkdir()
    made = pantile(tmp_path, "init", "data/pages/", "--model", UPSCALE, "--output", "jobs/a.yaml")
    assert made.returncode == 0, made.stderr
    assert "path: ../data/pages " in (tmp_path / "jobs" / "a.yaml").read_text()
    assert pantile(Path("/"), "run", tmp_path / "jobs" / "a.yaml", "--quiet").returncode == 0
    assert (tmp_path / "jobs" / "out" / "pages" / "journal").is_file()


def test_links_on_the_way_do_not_mislead(tmp_path: Path) -> None:
    pages = some_pages(tmp_path / "deep" / "down" / "pages")
    (tmp_path / "jobs").symlink_to(tmp_path / "deep")
    (tmp_path / "short").symlink_to(pages)
    for where in ("short", "jobs/down/pages", "jobs/../deep/down/pages"):
        made = pantile(tmp_path, "init", where, "--model", UPSCALE, "--output", "jobs/job.yaml", "--force")
        assert made.returncode == 0, made.stderr
        ran = pantile(tmp_path, "run", "jobs/job.yaml", "--quiet", "--fresh")
        assert ran.returncode == 0, ran.stderr


def test_stdout_is_the_job_alone(tmp_path: Path) -> None:
    some_pages(tmp_path / "pages")
    made = pantile(tmp_path, "init", "pages", "--model", UPSCALE, "--output", "-")
    assert made.stdout.startswith("# Made by `pantile init`")
    assert not (tmp_path / "job.yaml").exists()
    (tmp_path / "job.yaml").write_text(made.stdout)
    assert pantile(tmp_path, "run", "job.yaml", "--quiet").returncode == 0


def test_the_folder_of_the_images_may_hold_the_job(tmp_path: Path) -> None:
    pages = some_pages(tmp_path / "pages")
    assert pantile(pages, "init", ".", "--model", UPSCALE).returncode == 0
    assert "out/**" in (pages / "job.yaml").read_text()
    assert pantile(pages, "run", "job.yaml", "--quiet").returncode == 0


def test_what_is_found_is_said(tmp_path: Path) -> None:
    pages = some_pages(tmp_path / "pages" / "vol-1")
    for page in PAGES.iterdir():
        shutil.copy(page, pages / page.with_suffix(page.suffix.upper()).name)
    for page in BROKEN.iterdir():
        shutil.copy(page, pages)
    (pages / "notes.txt").write_text("not an image")
    (pages / "vol-2.cbz").write_text("not looked into")
    made = pantile(tmp_path, "init", "pages")
    assert made.returncode == 0, made.stderr
    job = (tmp_path / "job.yaml").read_text()
    for ending in ("JPG", "PNG", "jpg", "png"):
        assert f".{ending}\n" in made.stderr
    assert '["**/*.{JPG,PNG,jpg,png}"]' in job
    assert "left out: 1 .cbz, 1 .txt\n  an archive is an input of its own" in made.stderr
    assert "cannot be read and will go to quarantine" in made.stderr
    assert "turned by EXIF" in made.stderr


def test_no_image_is_said_plainly(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("a")
    (tmp_path / "file.png").write_text("")
    for where, words in (
        ("gone", "no such folder"),
        ("empty", "there is no file in it"),
        ("texts", "1 file looked into"),
        ("file.png", "is not a folder"),
    ):
        refused = pantile(tmp_path, "init", where)
        assert refused.returncode == 2 and words in refused.stderr, refused.stderr
        assert not (tmp_path / "job.yaml").exists()


def test_a_model_that_is_none_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    some_pages(tmp_path / "pages")
    (tmp_path / "bad.onnx").write_bytes(os.urandom(100))
    for model in ("gone.onnx", "bad.onnx", "pages"):
        refused = pantile(tmp_path, "init", "pages", "--model", model)
        assert refused.returncode == 2 and model in refused.stderr
        assert not (tmp_path / "job.yaml").exists()
