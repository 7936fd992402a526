"""A request to stop finishes what is in flight, seals it and exits 75; the same command goes on from there."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest
from runs import BINARY, PAGES, Job, digest, environment, pantile, run


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of the job below when nobody stops it."""
    folder = tmp_path_factory.mktemp("undisturbed")
    run(Job(folder, inputs=[PAGES, PAGES]).write(), folder / "out")
    return digest(folder / "out")


def start(job: Path, output: Path, *arguments: str) -> subprocess.Popen:
    """Starts a run and waits until it works."""
    process = subprocess.Popen(
        [str(BINARY), "run", str(job), "--output", str(output), *arguments],
        env=environment(), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if json.loads((output / "live.json").read_text())["state"] == "running":
                return process
        except (OSError, ValueError):
            pass
        time.sleep(0.02)
    raise AssertionError(f"the run did not start: {process.communicate()}")


@pytest.mark.parametrize(
    ("ranks", "stop"), [("1", signal.SIGINT), ("1", signal.SIGUSR2), ("3", signal.SIGINT), ("3", signal.SIGTERM)]
)
def test_once_drains_and_a_resume_completes(tmp_path: Path, undisturbed: str, ranks: str, stop: signal.Signals) -> None:
    job = Job(tmp_path, inputs=[PAGES, PAGES]).write()
    process = start(job, tmp_path / "out", "--ranks", ranks)
    process.send_signal(stop)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 75, said
    state = json.loads(pantile("status", tmp_path / "out", "--format", "json").stdout)
    assert state["state"] == "stopped"
    assert state["done"] < state["items"]
    run(job, tmp_path / "out", "--ranks", ranks)
    assert digest(tmp_path / "out") == undisturbed


@pytest.mark.parametrize("ranks", ["1", "3"])
def test_twice_stops_at_once_and_a_resume_completes(tmp_path: Path, undisturbed: str, ranks: str) -> None:
    job = Job(tmp_path, inputs=[PAGES, PAGES]).write()
    process = start(job, tmp_path / "out", "--ranks", ranks)
    process.send_signal(signal.SIGINT)
    time.sleep(0.15)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    run(job, tmp_path / "out")
    assert digest(tmp_path / "out") == undisturbed


@pytest.mark.parametrize("delay_s", [0.1, 0.15, 0.2, 0.3, 0.4])
def test_a_stop_before_anything_has_begun_is_a_stop(tmp_path: Path, delay_s: float) -> None:
    job = Job(tmp_path, inputs=[PAGES, PAGES]).write()
    process = subprocess.Popen(
        [str(BINARY), "run", str(job), "--output", str(tmp_path / "out"), "--ranks", "3"],
        env=environment(), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    time.sleep(delay_s)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    # On a busy machine the signal may come before the program's first instruction.
    assert process.returncode in (75, -signal.SIGINT), said
