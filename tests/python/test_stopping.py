"""A request to stop finishes what is in flight, seals it and exits 75; the same command goes on from there."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest
from runs import BINARY, PAGES, Job, digest, environment, pantile, run


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


@pytest.mark.parametrize("ranks", ["1", "3"])
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR2])
def test_once_drains_and_a_resume_completes(tmp_path: Path, ranks: str, stop: signal.Signals) -> None:
    job = Job(tmp_path, inputs=[PAGES, PAGES]).write()
    process = start(job, tmp_path / "out", "--ranks", ranks)
    process.send_signal(stop)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 75, said
    state = json.loads(pantile("status", tmp_path / "out", "--format", "json").stdout)
    assert state["state"] == "stopped"
    assert state["done"] < state["items"]
    run(job, tmp_path / "out", "--ranks", ranks)
    run(job, tmp_path / "whole")
    assert digest(tmp_path / "out") == digest(tmp_path / "whole")


@pytest.mark.parametrize("ranks", ["1", "3"])
def test_twice_stops_at_once_and_a_resume_completes(tmp_path: Path, ranks: str) -> None:
    job = Job(tmp_path, inputs=[PAGES, PAGES]).write()
    process = start(job, tmp_path / "out", "--ranks", ranks)
    process.send_signal(signal.SIGINT)
    time.sleep(0.15)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    run(job, tmp_path / "out")
    run(job, tmp_path / "whole")
    assert digest(tmp_path / "out") == digest(tmp_path / "whole")
