"""A request to stop finishes what is in flight, seals it and exits 75; the same command goes on from there."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from processes import gone_within, processes_of, ranks_of
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
    begun = time.monotonic()
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert time.monotonic() - begun < 2
    assert not processes_of(tmp_path / "out"), "something of the run is left"
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


# What a person is promised: a few seconds, and the tile that is at work. The rest is what a busy machine adds.
PROMISE_S = 5 + 1


def stops_at_random(folder: Path, undisturbed: str, times: int, seed: int) -> None:
    """Stops a run at random moments in every way there is; each time it is resumed, and stopped again, until it is done."""
    print(f"seed {seed}")
    dice = random.Random(seed)
    job = Job(folder, inputs=[PAGES, PAGES]).write()
    runs = stopped = 0
    output = folder / "out0"
    while stopped < times:
        own = dice.random() < 0.3
        launcher = ["mpirun", "-n", "3", "--oversubscribe"] if own else []
        ranks = [] if own else ["--ranks", "3"]
        how = signal.SIGUSR2 if own else dice.choice([signal.SIGINT, signal.SIGTERM, signal.SIGUSR2])
        process = subprocess.Popen(
            [*launcher, str(BINARY), "run", str(job), "--output", str(output), *ranks],
            env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        # mpirun itself dies of a signal that comes before it has started the ranks; so does any program.
        time.sleep(dice.uniform(1.2 if own else 0.3, 4))
        begun = time.monotonic()
        process.send_signal(how)
        _, said = process.communicate(timeout=60)
        took_s = time.monotonic() - begun
        assert process.returncode in (0, 75), f"seed {seed}, {how.name}, own mpirun: {own}, exit {process.returncode}\n{said}"
        assert took_s < PROMISE_S, f"seed {seed}, {how.name}, own mpirun: {own}: {took_s:.1f} s\n{said}"
        assert gone_within(output, 1), "something of the run is left"
        stopped += process.returncode == 75
        if process.returncode == 0:
            assert digest(output) == undisturbed
            runs += 1
            output = folder / f"out{runs}"
    if output.exists():
        run(job, output)
        assert digest(output) == undisturbed


def test_six_stops_at_random_moments(tmp_path: Path, undisturbed: str) -> None:
    stops_at_random(tmp_path, undisturbed, times=6, seed=20261121)


@pytest.mark.long
def test_thirty_stops_at_random_moments(tmp_path: Path, undisturbed: str) -> None:
    stops_at_random(tmp_path, undisturbed, times=30, seed=int(os.environ.get("PANTILE_SEED", "1")))


@pytest.mark.parametrize("victim", [0, 2])
def test_a_signal_at_any_rank_stops_the_run(tmp_path: Path, undisturbed: str, victim: int) -> None:
    job = Job(tmp_path, inputs=[PAGES, PAGES]).write()
    process = start(job, tmp_path / "out", "--ranks", "3")
    os.kill(ranks_of(tmp_path / "out")[victim], signal.SIGUSR2)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 75, said
    run(job, tmp_path / "out")
    assert digest(tmp_path / "out") == undisturbed
