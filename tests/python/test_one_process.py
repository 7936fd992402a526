"""A whole run in one process, where coordinator, worker and executor are threads: what ThreadSanitizer looks at."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

from runs import BINARY, BROKEN, PAGES, Job, digest, environment, run, verified


def test_lanes_decoder_writer_and_coordinator_side_by_side(tmp_path: Path) -> None:
    job = Job(tmp_path, inputs=[PAGES, BROKEN], keys=["tiles: {size: 96}", "devices: {jobs_per_device: 4}"]).write()
    run(job, tmp_path / "out", code=3)
    report = verified(tmp_path / "out")
    assert report["done"] == len(list(PAGES.iterdir()))


def test_a_stop_in_the_middle_and_a_resume(tmp_path: Path) -> None:
    job = Job(tmp_path, keys=["devices: {jobs_per_device: 3}"]).write()
    process = subprocess.Popen([str(BINARY), "run", str(job), "--output", str(tmp_path / "out")], env=environment())
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not list((tmp_path / "out" / "shards").glob("*")):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=120) in (0, 75)
    run(job, tmp_path / "out")
    run(job, tmp_path / "whole")
    assert digest(tmp_path / "out") == digest(tmp_path / "whole")
