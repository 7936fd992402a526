"""`pantile run --ranks N` outlives its ranks, and nothing outlives it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest
from processes import gone_within, kill, launchers_of, processes_of, ranks_of, wait_for_shard
from runs import BINARY, ENGINE_VARIABLE, PAGES, SOURCE, TEST_DATA, UPSCALE, Job, digest, environment, pantile, run, verified

INPUTS = [PAGES] * 3


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of the job below when nothing is lost."""
    folder = tmp_path_factory.mktemp("undisturbed")
    run(Job(folder, inputs=INPUTS).write(), folder / "out")
    return digest(folder / "out")


def start(job: Path, output: Path, *arguments: str) -> subprocess.Popen:
    command = [str(BINARY), "run", str(job), "--output", str(output), *arguments]
    return subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("lost", ["a worker", "the coordinator", "mpirun", "all ranks"])
def test_the_same_command_completes_by_itself_when_something_is_lost(tmp_path: Path, undisturbed: str, lost: str) -> None:
    output = tmp_path / "out"
    process = start(Job(tmp_path, inputs=INPUTS).write(), output, "--ranks", "3")
    wait_for_shard(output)
    ranks = ranks_of(output)
    kill({"a worker": [ranks[2]], "the coordinator": [ranks[0]], "mpirun": launchers_of(output), "all ranks": list(ranks.values())}[lost])
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert re.search(r"was lost.*items are committed; starting again with 3 ranks", said), said
    assert "mpirun noticed" not in said, "launcher noise"
    assert not processes_of(output)
    assert digest(output) == undisturbed


def test_the_run_ends_in_order_when_its_supervisor_is_killed(tmp_path: Path, undisturbed: str) -> None:
    output = tmp_path / "out"
    job = Job(tmp_path, inputs=INPUTS).write()
    process = start(job, output, "--ranks", "3")
    wait_for_shard(output)
    process.kill()  # not waited for: a dead process that nobody has asked for is dead all the same
    deadline = time.monotonic() + 30
    while set(processes_of(output)) - {process.pid} and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not set(processes_of(output)) - {process.pid}, "ranks work on unseen"
    process.communicate()
    assert json.loads((output / "live.json").read_text())["state"] == "stopped", "it was drained, not cut off"
    run(job, output, "--ranks", "3")
    assert digest(output) == undisturbed


def test_ranks_under_an_mpirun_of_ones_own_leave_with_it(tmp_path: Path, undisturbed: str) -> None:
    output = tmp_path / "out"
    job = Job(tmp_path, inputs=INPUTS).write()
    process = subprocess.Popen(
        ["mpirun", "-n", "3", "--oversubscribe", str(BINARY), "run", str(job), "--output", str(output)],
        env=environment(), stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wait_for_shard(output)
    process.kill()
    process.wait()
    assert gone_within(output, 10), "ranks without a launcher stay"
    state = json.loads(pantile("status", output, "--format", "json").stdout)
    assert state["done"] < state["items"], "they left, and did not work on unseen"
    run(job, output)
    assert digest(output) == undisturbed


def test_it_gives_up_when_restarts_commit_nothing(tmp_path: Path, undisturbed: str) -> None:
    output = tmp_path / "out"
    job = Job(tmp_path, inputs=INPUTS).write()
    process = start(job, output, "--ranks", "3")
    done = threading.Event()

    def kill_every_start() -> None:
        while not done.is_set():
            kill(list(ranks_of(output).values()))
            time.sleep(0.05)

    killer = threading.Thread(target=kill_every_start)
    killer.start()
    try:
        # mpirun that loses its ranks as they start may wait for itself: that is waited for 10 to 30 s, four times at most
        _, said = process.communicate(timeout=240)
    finally:
        done.set()
        killer.join()
    assert process.returncode == 1, said
    assert said.count("starting again with 3 ranks") == 3, said
    assert said.count("3 restarts in a row have committed nothing: giving up") == 1, said
    run(job, output)
    assert digest(output) == undisturbed


@pytest.mark.parametrize("ranks", ["1", "3"])
def test_a_slurm_job_that_comes_back_in_vain_is_given_up(tmp_path: Path, undisturbed: str, ranks: str) -> None:
    output = tmp_path / "out"
    job = Job(tmp_path, inputs=INPUTS).write()
    job.write_text(job.read_text().replace("seal_after: 1s", "seal_after: 1h"))
    for _ in range(5):
        epoch = json.loads((output / "live.json").read_text())["epoch"] if output.exists() else 0
        process = start(job, output, "--ranks", "1")
        until = time.monotonic() + 60
        while not (output / "live.json").exists() or json.loads((output / "live.json").read_text() or "{}").get("epoch", 0) <= epoch:
            assert time.monotonic() < until, "the run does not start"
            time.sleep(0.02)
        process.kill()
        process.communicate()
    environ = environment() | {"SLURM_RESTART_COUNT": "5"}
    command = [str(BINARY), "run", str(job), "--output", str(output), "--ranks", ranks]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done.stderr
    assert "the last 5 starts of this run have committed nothing" in done.stderr
    run(job, output, "--ranks", ranks)  # submitted anew
    assert digest(output) == undisturbed


def test_an_mpirun_that_has_lost_its_ranks_is_not_waited_for(tmp_path: Path, undisturbed: str) -> None:
    """The first mpirun starts something that dies at once, and hangs: no rank has said a word by then."""
    (tmp_path / "bin").mkdir()
    shim = tmp_path / "bin" / "mpirun"
    shim.write_text(f'#!/bin/sh\nif mkdir "{tmp_path}/first" 2>/dev/null; then sleep 2; exec sleep 600; fi\nexec {shutil.which("mpirun")} "$@"\n')
    shim.chmod(0o755)
    output = tmp_path / "out"
    command = [str(BINARY), "run", str(Job(tmp_path, inputs=INPUTS).write()), "--output", str(output), "--ranks", "3"]
    variables = environment() | {"PATH": f"{shim.parent}:{os.environ['PATH']}"}
    done = subprocess.run(command, env=variables, timeout=120, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "starting again with 3 ranks" in done.stderr
    assert digest(output) == undisturbed


def test_what_a_restart_cannot_mend_is_not_started_again(tmp_path: Path) -> None:
    job = Job(tmp_path, model=SOURCE / "no-such-model.onnx").write()
    assert "starting" not in run(job, tmp_path / "out", "--ranks", "3", code=2).stderr
    job = Job(tmp_path, keys=["devices: {memory: {cap: 40MiB}}"]).write()
    done = pantile("run", job, "--output", tmp_path / "out", "--ranks", "3")
    assert done.returncode in (1, 2)
    assert "starting again" not in done.stderr


@pytest.mark.parametrize("request_", ["drain", "stop"])
def test_ctl_stops_a_run_from_outside(tmp_path: Path, undisturbed: str, request_: str) -> None:
    output = tmp_path / "out"
    job = Job(tmp_path, inputs=INPUTS).write()
    process = start(job, output, "--ranks", "3")
    wait_for_shard(output)
    (output / "control").mkdir(exist_ok=True)
    (output / "control" / "000.request").write_text('{"epoch": 77, "request": "stop"}')
    time.sleep(0.5)
    assert process.poll() is None and not list((output / "control").iterdir()), "a request to another epoch is forgotten"
    asked = pantile("ctl", output, request_)
    assert asked.returncode == 0, asked.stderr
    assert "exit code 75" in asked.stderr
    _, said = process.communicate(timeout=30)
    assert process.returncode == 75, said
    answers = json.loads((output / "live.json").read_text())["requests"]
    assert [(answer["request"], answer["granted"]) for answer in answers] == [(request_, True)]
    assert not list((output / "control").iterdir())
    late = pantile("ctl", output, request_)
    assert late.returncode == 1
    assert "does not run (stopped)" in late.stderr
    run(job, output)
    assert digest(output) == undisturbed


def test_ctl_without_a_run_says_so(tmp_path: Path) -> None:
    done = pantile("ctl", tmp_path, "drain")
    assert done.returncode == 2
    assert "there is no run in" in done.stderr
    assert pantile("ctl", tmp_path, "halt").returncode == 2


def test_ctl_says_what_becomes_of_a_request_that_nobody_answers(tmp_path: Path, undisturbed: str) -> None:
    output = tmp_path / "out"
    job = Job(tmp_path, inputs=INPUTS).write()
    process = start(job, output)
    wait_for_shard(output)
    process.send_signal(signal.SIGSTOP)
    asked = pantile("ctl", output, "drain")
    process.kill()
    process.communicate()
    assert asked.returncode == 1
    assert "did not answer within 5 s" in asked.stderr
    assert "is forgotten if the run is started again" in asked.stderr
    assert "came for epoch 1 of the run, and is removed" in run(job, output).stderr
    assert digest(output) == undisturbed


def test_ctl_says_when_the_owner_of_a_run_is_dead(tmp_path: Path) -> None:
    output = tmp_path / "out"
    process = start(Job(tmp_path, inputs=INPUTS).write(), output)
    wait_for_shard(output)
    process.kill()
    process.communicate()
    live = json.loads((output / "live.json").read_text())
    (output / "live.json").write_text(json.dumps({**live, "updated": "2026-01-01T00:00:00.000Z"}))
    done = pantile("ctl", output, "drain")
    assert done.returncode == 1
    assert "does not run (interrupted)" in done.stderr
    assert not (output / "control").exists() or not list((output / "control").iterdir())


@pytest.mark.parametrize("ranks", ["1", "3"])
def test_a_time_limit_is_kept_and_a_resume_completes(tmp_path: Path, ranks: str) -> None:
    output = tmp_path / "out"
    # One lane: as fast on sixteen cores as on two.
    job = Job(tmp_path, inputs=[PAGES] * 6, keys=["devices: {jobs_per_device: 1}"]).write()
    begun = time.monotonic()
    done = run(job, output, "--ranks", ranks, "--time-limit", "6s", code=75)
    assert time.monotonic() - begun < 6, done.stderr
    assert "nothing more fits before the time limit" in done.stderr
    state = json.loads(pantile("status", output, "--format", "json").stdout)
    assert state["state"] == "stopped"
    assert 0 < state["done"] < state["items"]
    run(job, output)
    assert verified(output)["done"] == state["items"]
    if ranks == "1":  # the same one for both
        run(job, tmp_path / "whole", "--ranks", "3")
        assert digest(output) == digest(tmp_path / "whole")


def test_the_end_of_a_slurm_job_is_a_time_limit(tmp_path: Path) -> None:
    job = Job(tmp_path, inputs=[PAGES] * 12, keys=["devices: {jobs_per_device: 1}"]).write()
    begun = time.monotonic()
    done = subprocess.run(
        [str(BINARY), "run", str(job), "--output", str(tmp_path / "out")],
        env={**environment(), "SLURM_JOB_END_TIME": str(int(time.time()) + 16)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 75, done.stderr
    assert time.monotonic() - begun < 10, "ten seconds are left to the job's script"


def test_an_item_that_needs_more_than_the_limit_is_named(tmp_path: Path) -> None:
    from PIL import Image

    pages = tmp_path / "pages"
    pages.mkdir()
    for number in range(4):
        Image.new("RGB", (300, 300), (number, 90, 30)).save(pages / f"small{number}.png")
    Image.effect_noise((6000, 6000), 30).convert("RGB").save(pages / "poster.png", compress_level=1)
    done = run(Job(tmp_path, inputs=[pages]).write(), tmp_path / "out", "--time-limit", "7s", code=75)
    assert re.search(r"poster\.png needs about \d+ s, the limit leaves \d+ s", done.stderr), done.stderr
    assert json.loads(pantile("status", tmp_path / "out", "--format", "json").stdout)["done"] == 4, "the small ones are done"


# ---- Slurm ----------------------------------------------------------------------------------------------------------

MINICLUSTER = Path(os.environ.get("PANTILE_MINICLUSTER", TEST_DATA.parent / "cluster" / "minicluster"))


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch):  # noqa: ANN201
    """Three nodes of Slurm on this machine. What they run must not lie under /tmp: each has its own."""
    for tool in ("slurmctld", "slurmd", "munged", "ip"):
        if shutil.which(tool) is None and not Path("/usr/sbin", tool).exists():
            pytest.skip(f"Slurm on one machine needs {tool}")
    if os.geteuid() != 0 or not MINICLUSTER.exists():
        pytest.skip(f"Slurm on one machine needs root, and {MINICLUSTER} (set PANTILE_MINICLUSTER)")
    folder = Path(tempfile.mkdtemp(prefix="pantile-slurm-", dir="/var/tmp"))
    monkeypatch.setenv("MINICLUSTER_DIR", f"/run/pantile-slurm-{os.getpid()}")
    monkeypatch.setenv("MINICLUSTER_NET", f"10.{100 + os.getpid() % 100}.7")
    subprocess.run([MINICLUSTER, "up", "--nodes", "3", "--slots-per-node", "2"], check=True)
    for word in subprocess.run([MINICLUSTER, "env"], check=True, capture_output=True, text=True).stdout.split():
        name, equals, value = word.partition("=")
        if equals:
            monkeypatch.setenv(name, value)
    yield folder
    subprocess.run([MINICLUSTER, "down"], check=True)
    shutil.rmtree(folder)


@pytest.mark.long
@pytest.mark.parametrize("how", [["--crash"], []])
def test_a_run_under_slurm_outlives_a_node(cluster: Path, tmp_path: Path, how: list[str]) -> None:
    shutil.copytree(PAGES, cluster / "pages")
    shutil.copy(UPSCALE, cluster)
    shutil.copy(BINARY, cluster / "pantile")
    engine = os.environ.get(ENGINE_VARIABLE) or next(str(path) for path in (SOURCE / ".ort" / "lib").glob("libonnxruntime.so*"))
    shutil.copy(Path(engine).resolve(), cluster / "libonnxruntime.so")
    job = Job(cluster, model=cluster / UPSCALE.name, inputs=[cluster / "pages"] * 6).write()
    script = cluster / "job.sh"
    script.write_text(
        f"#!/bin/bash\nexport {ENGINE_VARIABLE}={cluster}/libonnxruntime.so\n{cluster}/pantile run {job} --ranks 6\necho code $?\n"
    )
    talk = cluster / "talk.txt"
    subprocess.run(["sbatch", "--no-kill", "-N3", "-n6", "-o", talk, script], check=True, cwd=cluster)
    wait_for_shard(cluster / "out")
    subprocess.run([MINICLUSTER, "kill-node", *how, "node3"], check=True)
    deadline = time.monotonic() + 180
    while "\ncode " not in (talk.read_text() if talk.exists() else "") and time.monotonic() < deadline:
        time.sleep(0.2)
    said = talk.read_text()
    assert "\ncode 0\n" in said, said
    assert "starting again with 4 ranks on node1:2,node2:2" in said, said
    run(job, tmp_path / "whole")
    assert digest(cluster / "out") == digest(tmp_path / "whole")
