"""kill -9 of any process at any moment, then the same command again: nothing lost, nothing doubled, the same digest."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from processes import executors_of, gone_within, kill, launchers_of, ranks_of
from runs import BINARY, PAGES, Job, digest, environment, run, verified

RANKS = 3


def what_it_does(output: Path) -> str:
    """Name, state, seconds of CPU, and where in the kernel each thread of the run's processes waits: a hang or a starved machine?"""
    lines = [f"load {os.getloadavg()}"]
    for process in Path("/proc").iterdir():
        try:
            if not process.name.isdigit() or str(output).encode() not in (process / "cmdline").read_bytes():
                continue
            for thread in (process / "task").iterdir():
                name, state = (thread / "stat").read_text().split("(", 1)[1].rsplit(")", 1)
                fields = state.split()
                cpu_s = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
                lines.append(f"{process.name}/{thread.name} {name} {fields[0]} {cpu_s:.2f} s {(thread / 'wchan').read_text()}")
        except OSError:
            continue
    return "\n".join(lines)


def kill_at_random(job: Path, output: Path, dice: random.Random, within_s: float) -> tuple[int, bool]:
    """Starts or resumes the run and kills something in its first `within_s` seconds; before that, perhaps, some executors.

    How many kills came before the end, and whether the run is done: it must be, by itself, unless its supervisor was killed too.
    """
    process = subprocess.Popen(
        [str(BINARY), "run", str(job), "--output", str(output), "--ranks", str(RANKS)],
        env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    target = dice.choice(["worker", "worker", "coordinator", "all ranks", "mpirun", "supervisor", "all"])
    deadline = time.monotonic() + dice.uniform(0.05, within_s)
    next_executor = time.monotonic() + dice.uniform(0.05, within_s)
    kills = 0
    while time.monotonic() < deadline and process.poll() is None:
        executors = executors_of(output) if time.monotonic() > next_executor else []
        if executors:
            kill([dice.choice(executors)])
            kills += 1
            next_executor = time.monotonic() + dice.uniform(0.05, within_s)
        time.sleep(0.01)
    ranks = ranks_of(output)
    chosen = dice.randrange(1, RANKS)
    victims = {
        "worker": [pid for rank, pid in ranks.items() if rank == chosen],
        "coordinator": [pid for rank, pid in ranks.items() if rank == 0],
        "all ranks": list(ranks.values()),
        "mpirun": launchers_of(output),
        "supervisor": [process.pid],
        "all": [process.pid, *launchers_of(output), *ranks.values()],
    }[target]
    if process.poll() is None and victims:
        kill(victims)
        kills += 1
    try:
        _, said = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        pytest.fail(f"after kill -9 of {target} {victims} the run did not end within 120 s:\n{what_it_does(output)}")
    assert process.returncode in (0, -signal.SIGKILL), f"after kill -9 of {target}: exit {process.returncode}\n{said}"
    # Ranks without a supervisor drain.
    assert gone_within(output, 20), f"processes outlived their run after kill -9 of {target}:\n{what_it_does(output)}"
    return kills, process.returncode == 0


def survives(tmp_path: Path, kills: int, seed: int) -> None:
    """`kills` kills over as many runs as they take; each run ends with the digest of an undisturbed one."""
    dice = random.Random(seed)
    job = Job(tmp_path, inputs=[PAGES, PAGES], keys=["tiles: {size: 128}"]).write()
    started = time.monotonic()
    run(job, tmp_path / "undisturbed", "--ranks", RANKS)
    whole_s = time.monotonic() - started
    expected = verified(tmp_path / "undisturbed")
    done = runs = 0
    while done < kills:
        output = tmp_path / f"killed{runs}"
        runs += 1
        complete = False
        while done < kills and not complete:
            killed, complete = kill_at_random(job, output, dice, whole_s)
            done += killed
            with_quarantine = output / "quarantine.csv"
            assert not with_quarantine.exists(), f"seed {seed}, run {runs}: {with_quarantine.read_text()}"
        if not complete:
            run(job, output, "--ranks", dice.choice([1, 2, 3]))
        assert verified(output) == expected, f"seed {seed}, run {runs}, after {done} kills"
        for left in (output / "shards").iterdir():
            assert left.suffix == ".h5", f"{left} was left behind"


def test_sixty_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    survives(tmp_path, kills=60, seed=20261121)


@pytest.mark.long
def test_five_hundred_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    survives(tmp_path, kills=500, seed=int(os.environ.get("PANTILE_SEED", "1")))


@pytest.mark.long
def test_a_rank_that_hangs_for_good_does_not_keep_the_run_from_its_end(tmp_path: Path) -> None:
    job = Job(tmp_path, inputs=[PAGES, PAGES]).write()
    output = tmp_path / "out"
    process = subprocess.Popen(
        [str(BINARY), "run", str(job), "--output", str(output), "--ranks", "3"],
        env=environment(), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not list((output / "shards").glob("*.h5")):
        time.sleep(0.02)
    os.kill(ranks_of(output)[2], signal.SIGSTOP)
    _, said = process.communicate(timeout=420)  # at worst it was sealing: 300 s
    assert process.returncode == 0, said
    assert gone_within(output, 60), "ranks outlived their run"
    run(job, tmp_path / "whole")
    assert digest(output) == digest(tmp_path / "whole")


def test_a_resume_takes_up_what_is_committed(tmp_path: Path) -> None:
    job = Job(tmp_path).write()
    output = tmp_path / "out"
    process = subprocess.Popen(
        [str(BINARY), "run", str(job), "--output", str(output)], env=environment(), stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not list((output / "shards").glob("*.h5")):
        time.sleep(0.02)
    process.kill()
    process.wait()
    before = {path.name: path.stat().st_mtime_ns for path in (output / "shards").glob("*.h5")}
    assert before, "a shard was sealed before the kill"
    run(job, output)
    after = {path.name: path.stat().st_mtime_ns for path in (output / "shards").glob("*.h5")}
    kept = {name: time_ns for name, time_ns in before.items() if after.get(name) == time_ns}
    # The newest shard may have been sealed but not committed when the kill came.
    assert len(kept) >= len(before) - 1
    run(job, tmp_path / "whole")
    assert digest(output) == digest(tmp_path / "whole")
