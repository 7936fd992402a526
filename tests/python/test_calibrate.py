"""`pantile calibrate`, and what becomes of the calibrations that it and runs keep."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import runs
from processes import executors_of, wait_for_shard

sys.path.insert(0, str(runs.SOURCE / "tools" / "sample"))
import make_attention  # noqa: E402  (a module of tools/sample)
import onnx  # noqa: E402

MIB = 1 << 20


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own, empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "pantile"


def calibrate(model: Path, *arguments: object) -> dict:
    done = runs.pantile("calibrate", model, "--format", "json", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def debug_run(job: Path, output: Path, *arguments: object) -> str:
    """What a run says in all detail."""
    command = [str(runs.BINARY), "run", str(job), "--output", str(output), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env={**runs.environment(), "PANTILE_LOG": "debug"}, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


def digest_of(output: Path) -> str:
    return json.loads(runs.pantile("verify", output, "--format", "json").stdout)["digest"]


def plan_of(said: str) -> list[str]:
    """Tiles, lanes and their memory, without what was free to the byte."""
    return [line.split("note", 1)[1].split("MiB of")[0] for line in said.splitlines() if "tiles of" in line]


def test_held_back_sizes_need_what_is_predicted(tmp_path: Path, cache: Path) -> None:
    attention = tmp_path / "attention.onnx"
    onnx.save(make_attention.make(patch=8, width=16, heads=2, blocks=1, seed=1), attention)
    for model in (runs.UPSCALE, attention):
        told = calibrate(model, "--memory", "96MiB", "--samples", 12)
        samples = told["samples"]
        assert len(samples) >= 10
        assert {sample["batch"] for sample in samples} == {1, 2, 3, 4}
        assert any(max(s["height"], s["width"]) >= 8 * min(s["height"], s["width"]) for s in samples), "no strip"
        for sample in samples:
            assert sample["px"] == sample["height"] * sample["width"]
            assert abs(sample["predicted_bytes"] / sample["measured_bytes"] - 1) <= told["max_error"] <= 0.005, sample
        assert max(sample["measured_bytes"] for sample in samples) > 64 * MIB
        assert told["p95_error"] <= told["max_error"]
        assert told["method"] == "pattern"
        assert told["seconds"] < 10
        assert Path(told["file"]).parent == cache
        assert json.loads(Path(told["file"]).read_text())["calibration"]["weights_bytes"] == told["weights_bytes"] > 0


def test_says_it_in_a_table_too() -> None:
    done = runs.pantile("calibrate", runs.SHARPEN, "--samples", 4, "--memory", "32MiB")
    assert done.returncode == 0, done.stderr
    assert "height  width  batch  predicted  measured  error" in done.stdout
    assert "sizes that were not probed:" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["no-such.onnx"], "cannot open no-such.onnx"),
        ([runs.SOURCE / "README.md"], "is not an ONNX model"),
        ([runs.UPSCALE, "--memory", "lots"], "--memory lots: it is a size"),
        ([runs.UPSCALE, "--memory", "200KiB"], "--memory 200KiB: it is too little even for the small images"),
    ],
)
def test_says_what_cannot_be_calibrated(arguments: list[object], words: str, cache: Path) -> None:
    done = runs.pantile("calibrate", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert not cache.exists(), "nothing is kept of a failure"


def test_a_known_model_is_not_probed_again_and_gives_the_same(tmp_path: Path, cache: Path) -> None:
    job = runs.Job(tmp_path / "job", include=["page-0[1-3]*"], keys=["devices: {memory: {cap: 200MiB}}"]).write()
    cold = debug_run(job, tmp_path / "cold")
    assert "was probed 6 times" in cold
    assert len(list(cache.glob("*.json"))) == 1
    warm = debug_run(job, tmp_path / "warm")
    assert "6 probes were not run again" in warm
    assert "was probed" not in warm
    assert plan_of(cold) and plan_of(cold) == plan_of(warm)
    assert digest_of(tmp_path / "cold") == digest_of(tmp_path / "warm")


def test_a_resume_by_somebody_else_knows_the_model_from_the_run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    shutil.copy(runs.PAGES / "small.png", pages)
    job = runs.Job(tmp_path / "job", inputs=[pages]).write()
    assert "was probed" in debug_run(job, tmp_path / "out")
    assert len(list((tmp_path / "out" / "calibration").glob("*.json"))) == 1
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    shutil.copy(runs.PAGES / "sticker.png", pages)
    assert "were not run again" in debug_run(job, tmp_path / "out", "--rescan")


def test_an_executor_that_takes_over_need_not_probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = runs.Job(tmp_path / "job", inputs=[runs.PAGES, runs.PAGES]).write()
    monkeypatch.setenv("PANTILE_LOG", "debug")
    command = [str(runs.BINARY), "run", str(job), "--output", str(tmp_path / "out")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=runs.environment())
    wait_for_shard(tmp_path / "out")
    for name in (tmp_path / "out" / "calibration", tmp_path / "cache"):
        shutil.rmtree(name)
    os.kill(executors_of(tmp_path / "out")[0], signal.SIGKILL)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 0, said
    assert said.count("was probed") == 1
    assert "6 probes were not run again" in said.split("takes over", 1)[1]


def test_what_calibrate_keeps_serves_runs(tmp_path: Path) -> None:
    calibrate(runs.UPSCALE, "--samples", 2, "--memory", "32MiB")
    job = runs.Job(tmp_path / "job", include=["page-01*"]).write()
    assert "9 probes were not run again" in debug_run(job, tmp_path / "out")


def test_a_damaged_or_closed_cache_changes_nothing(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = runs.Job(tmp_path / "job", include=["page-01*"]).write()
    debug_run(job, tmp_path / "first")
    (file,) = cache.glob("*.json")
    good = file.read_text()
    file.write_text(good[: len(good) // 2])
    said = debug_run(job, tmp_path / "damaged")
    assert "is no calibration of this version" in said
    assert "was probed" in said
    assert file.read_text() == good, "a good one takes its place"
    closed = tmp_path / "closed"
    closed.write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(closed))
    said = debug_run(job, tmp_path / "closed-out")
    assert "a calibration is not kept" in said
    assert "warning" not in said
    assert len({digest_of(tmp_path / out) for out in ("first", "damaged", "closed-out")}) == 1


def test_the_suite_does_not_write_into_the_users_cache() -> None:
    assert "XDG_CACHE_HOME" in runs.environment()
    assert Path(os.environ["XDG_CACHE_HOME"]) != Path.home() / ".cache"
