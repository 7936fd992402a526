"""The templates of slurm/ on a real Slurm: whatever happens to a job, it ends with the results of an undisturbed run."""

from __future__ import annotations

import functools
import json
import re
import threading
import time
from pathlib import Path

import h5py
import pytest
from cluster import Cluster, until
from runs import PAGES, Job

LAUNCHERS = ("mpirun", "srun")
_one = threading.Lock()


class Run:
    """A job in a folder of its own, about a page copies × 15 images large, and what Slurm has of it."""

    def __init__(self, cluster: Cluster, name: str, copies: int, nodes: list[str]) -> None:
        self.cluster = cluster
        self.copies = copies
        self.nodes = nodes
        self.folder = cluster.folder / name
        # One lane a worker: as fast on sixteen cores as on two, so that a run still works when something happens to it.
        self.job = Job(self.folder, inputs=[PAGES] * copies, keys=["devices: {jobs_per_device: 1}"]).write()
        self.output = self.folder / "out"

    def options(self, tasks: int, nodes: list[str] | None = None) -> list[str]:
        nodes = nodes or self.nodes
        return [f"--nodes={len(nodes)}", f"--nodelist={','.join(nodes)}", f"--ntasks-per-node={tasks}",
                "--cpus-per-task=1", "--mem=2000M", "--time=30"]  # fmt: skip

    def submit(self, *more: str, script: str = "cpu.sbatch", tasks: int = 1, nodes: list[str] | None = None, launch: str = "mpirun") -> str:
        return self.cluster.sbatch(script, "job.yaml", options=[*self.options(tasks, nodes), *more], cwd=self.folder, PANTILE_LAUNCH=launch)

    def status(self) -> dict:
        return json.loads(self.cluster.pantile("status", self.output, "--format", "json"))

    def shards(self) -> int:
        return len(list((self.output / "shards").glob("*.h5")))

    def wait_for_shard(self, job: str, more_than: int = 0) -> None:
        """Until the job has committed something, and has more to do."""
        until(f"job {job} seals a shard", lambda: self.shards() > more_than, log=lambda: self.cluster.log(job))

    def is_beyond(self, epoch: int, part: float) -> bool:
        """This start of the run works, and so much is done of the predicted work."""
        try:
            live = json.loads((self.output / "live.json").read_text())
        except (OSError, ValueError):
            return False
        return live["epoch"] == epoch and live["state"] == "running" and live["pixels_done"] >= part * live["pixels"]

    def blocks(self) -> dict[tuple[int, int], int]:
        """Item and block → pixels of the result."""
        found = {}
        for path in (self.output / "shards").glob("*.h5"):
            with h5py.File(path) as shard:
                index = {fact: shard["index"][fact][:].tolist() for fact in ("item", "block", "height", "width")}
                for item, block, height, width in zip(*index.values(), strict=True):
                    found[item, block] = height * width
        return found

    def pixels_of_results(self) -> int:
        return sum(self.blocks().values())

    def pixels_worked_on(self) -> int:
        """Of all blocks that were computed or, at a stop, begun and dropped: as often as that was so."""
        pixels, blocks = 0, self.blocks()
        for log in (self.output / "logs").glob("rank-*.jsonl"):
            spans, epoch = set(), 0
            for line in map(json.loads, log.read_text().splitlines()):
                epoch = line.get("epoch", epoch)
                if line.get("span") in ("compute", "dropped"):
                    spans.add((epoch, line["item"], line["block"]))  # what was dropped too late is computed all the same
            pixels += sum(blocks[item, block] for _, item, block in spans)
        return pixels

    def digest(self) -> str:
        report = json.loads(self.cluster.pantile("verify", self.output, "--format", "json"))
        assert report["done"] == report["items"] == 15 * self.copies
        return report["digest"]

    def expect_same_results(self) -> None:
        assert self.digest() == undisturbed(self.cluster, self.copies)


@functools.cache
def _undisturbed(cluster: Cluster, copies: int) -> str:
    run = Run(cluster, f"undisturbed-{copies}", copies, [])
    cluster.pantile("run", run.job, "--ranks", "1", "--quiet")
    return run.digest()


def undisturbed(cluster: Cluster, copies: int) -> str:
    """The digest of one process, without Slurm."""
    with _one:
        return _undisturbed(cluster, copies)


# The longest ones first: the others have time to run beside them.


@pytest.mark.nodes(3)
def test_a_run_in_ten_slices_does_little_twice(cluster: Cluster, nodes: list[str]) -> None:
    """Stopped nine times on the way: at most 2 % of the predicted work, which is counted in pixels, is done again."""
    run = Run(cluster, "slices", 12, nodes)
    job = run.submit(launch="srun")  # which is the quicker to leave
    for number in range(1, 10):
        until(f"slice {number} has done its part", lambda number=number: run.is_beyond(number, number / 10), 180, lambda: cluster.log(job))
        cluster.signal(job)
        cluster.wait_for_requeue(job, number)
        until("Slurm holds the job", lambda: cluster.info(job)["Reason"] == "BeginTime")
        time.sleep(2)
        cluster.release(job)
    cluster.go_on(job)
    assert cluster.restarts(job) == 9
    assert cluster.log(job).count("exit 75, start") == 9
    run.expect_same_results()
    redone = run.pixels_worked_on() / run.pixels_of_results() - 1
    print(f"redone: {redone:.2%}")
    assert 0 <= redone <= 0.02


@pytest.mark.nodes(3)
@pytest.mark.parametrize("launch", LAUNCHERS)
def test_a_job_over_three_nodes_is_done(cluster: Cluster, nodes: list[str], launch: str) -> None:
    run = Run(cluster, f"plain-{launch}", 2, nodes)
    job = run.submit(launch=launch)
    assert cluster.wait(job) == "COMPLETED", cluster.log(job)
    assert "3 ranks, 30 items" in cluster.log(job)
    assert "exit 0" in cluster.log(job)
    assert ("starting mpirun" in cluster.log(job)) == (launch == "mpirun")
    run.expect_same_results()


@pytest.mark.nodes(3)
@pytest.mark.parametrize("launch", LAUNCHERS)
def test_a_signal_drains_and_the_job_comes_back_and_is_done(cluster: Cluster, nodes: list[str], launch: str) -> None:
    run = Run(cluster, f"signal-{launch}", 4, nodes)
    job = run.submit(launch=launch)
    run.wait_for_shard(job)
    cluster.signal(job)
    cluster.wait_for_requeue(job)
    log = cluster.log(job)
    assert re.search(r"a signal asks (rank \d+ )?to stop: finishing what is in flight", log), log  # srun tells all of them
    assert "pantile: exit 75, start 1 of this job: queueing it again" in log
    assert run.status()["state"] == "stopped"
    assert 0 < run.status()["done"] < 60
    until("Slurm holds the job", lambda: cluster.info(job)["Reason"] == "BeginTime")
    cluster.go_on(job)
    assert cluster.restarts(job) == 1
    run.expect_same_results()


@pytest.mark.nodes(1)
def test_slurms_own_signal_comes_before_the_time_limit(cluster: Cluster, nodes: list[str]) -> None:
    run = Run(cluster, "limit", 60, nodes)
    job = run.submit("--time=2", "--signal=B:USR2@60", tasks=2)
    run.wait_for_shard(job)
    cluster.wait_for_requeue(job, timeout=150)
    assert "a signal asks to stop" in cluster.log(job)
    assert "exit 75" in cluster.log(job)
    assert run.status()["state"] == "stopped"
    cluster.cancel(job)


@pytest.mark.nodes(3)
@pytest.mark.parametrize("launch", LAUNCHERS)
def test_a_preempted_job_comes_back_and_is_done(cluster: Cluster, nodes: list[str], launch: str) -> None:
    run = Run(cluster, f"preempted-{launch}", 12, nodes)  # more than is done within the grace of a preemption
    job = run.submit(launch=launch)
    run.wait_for_shard(job)
    urgent = cluster.sbatch(_script(run.folder, "sleep 1"), options=["--partition=urgent", f"--nodelist={nodes[1]}", "--mem=3000M"], cwd=run.folder)
    cluster.wait_for_requeue(job)
    cluster.wait(urgent, "COMPLETED")
    cluster.go_on(job)
    assert cluster.restarts(job) == 1
    run.expect_same_results()


@pytest.mark.nodes(3)
@pytest.mark.parametrize("launch", LAUNCHERS)
def test_a_node_without_power_costs_a_requeue(cluster: Cluster, nodes: list[str], launch: str) -> None:
    run = Run(cluster, f"power-{launch}", 8, nodes)
    job = run.submit(launch=launch)
    run.wait_for_shard(job)
    cluster.kill_node(nodes[2])
    try:
        cluster.wait_for_requeue(job)
    finally:
        cluster.revive(nodes[2])
    cluster.go_on(job)
    assert cluster.restarts(job) >= 1
    run.expect_same_results()


@pytest.mark.nodes(3)
@pytest.mark.parametrize("launch", LAUNCHERS)
def test_a_killed_rank_costs_a_requeue_at_most(cluster: Cluster, nodes: list[str], launch: str) -> None:
    run = Run(cluster, f"killed-{launch}", 8, nodes)  # still at work when a busy machine gets round to the kill
    job = run.submit(launch=launch)
    run.wait_for_shard(job)
    for pid in cluster.processes(nodes[1], "pantile run job.yaml"):
        cluster.exec(nodes[1], "kill", "-9", pid, code=None)
    if launch == "srun":
        cluster.wait_for_requeue(job)
        assert "exit 137" in cluster.log(job) or "exit 143" in cluster.log(job)
    cluster.go_on(job)
    assert cluster.restarts(job) == (1 if launch == "srun" else 0), "pantile starts them again itself, unless Slurm does"
    assert ("starting again with 3 ranks" in cluster.log(job)) == (launch == "mpirun"), cluster.log(job)
    run.expect_same_results()


@pytest.mark.nodes(1)
@pytest.mark.parametrize("code", [0, 1, 2, 3, 75, 137, 140, 143, 205])
@pytest.mark.parametrize("script", ["cpu.sbatch", "gpu.sbatch", "mixed.sbatch", "array.sbatch"])
def test_an_exit_code_that_a_restart_mends_is_a_requeue(cluster: Cluster, nodes: list[str], script: str, code: int) -> None:
    stub = f'[ -n "${{SLURM_RESTART_COUNT:-}}" ] || exit {code}; echo "back with $*"'
    job = _stub_job(cluster, nodes[0], f"code-{script}-{code}", stub, script=script)
    if code in (75, 137, 140, 143, 205):
        cluster.go_on(job)
        assert f"exit {code}, start 1 of this job" in cluster.log(job)
        assert "back with run a.yaml" in cluster.log(job)
    else:
        assert cluster.wait(job) == ("COMPLETED" if code == 0 else "FAILED")
        assert cluster.info(job)["ExitCode"] == f"{code}:0"
        assert cluster.restarts(job) == 0


@pytest.mark.nodes(1)
def test_a_task_of_an_array_is_queued_again_without_the_others(cluster: Cluster, nodes: list[str]) -> None:
    """The task that Slurm starts last has the array's own number as SLURM_JOB_ID, and that means all of them."""
    folder = cluster.folder / "array-task"
    stub = """case $SLURM_ARRAY_TASK_ID-${SLURM_RESTART_COUNT:-0} in
      1-0) until [ -e go-on ]; do sleep 0.1; done ;;
      2-0) echo "$SLURM_JOB_ID $SLURM_ARRAY_JOB_ID" >numbers; exit 75 ;;
    esac"""
    job = _stub_job(cluster, nodes[0], "array-task", stub, "--array=0-2", script="array.sbatch")
    cluster.wait(f"{job}_0", "COMPLETED")
    cluster.wait_for_requeue(f"{job}_2")
    assert (folder / "numbers").read_text().split() == [job, job]
    assert (cluster.state(f"{job}_0"), cluster.restarts(f"{job}_0")) == ("COMPLETED", 0)
    assert (cluster.state(f"{job}_1"), cluster.restarts(f"{job}_1")) == ("RUNNING", 0)
    (folder / "go-on").touch()
    cluster.go_on(f"{job}_2")
    assert cluster.wait(f"{job}_1") == "COMPLETED"
    assert cluster.restarts(f"{job}_1") == 0


# Stops in order when it is asked to, and is done at the next start.
STOPS = """[ -z "${SLURM_RESTART_COUNT:-}" ] || exit 0
trap 'exit 75' TERM USR2
touch is-up; while :; do sleep 0.1; done"""


@pytest.mark.nodes(1)
@pytest.mark.parametrize("script,launch", [("cpu.sbatch", "mpirun"), ("gpu.sbatch", "srun"), ("mixed.sbatch", "srun"), ("array.sbatch", "")])
def test_a_cancelled_job_does_not_come_back(cluster: Cluster, nodes: list[str], script: str, launch: str) -> None:
    job = _stub_job(cluster, nodes[0], f"cancel-{script}", STOPS, script=script, launch=launch)
    until("it works", (cluster.folder / f"cancel-{script}" / "is-up").exists, log=lambda: cluster.log(job))
    cluster.cancel(job)
    until("the script ends", lambda: "pantile: exit 75" in cluster.log(job), log=lambda: cluster.log(job))
    assert "exit 75: this job was cancelled and is not queued again" in cluster.log(job)
    assert cluster.wait(job, "CANCELLED", "PENDING") == "CANCELLED", cluster.log(job)
    assert cluster.restarts(job) == 0


@pytest.mark.nodes(3)
@pytest.mark.parametrize("launch", LAUNCHERS)
def test_what_a_cancelled_job_has_done_is_kept(cluster: Cluster, nodes: list[str], launch: str) -> None:
    run = Run(cluster, f"cancelled-{launch}", 8, nodes)
    job = run.submit(launch=launch)
    run.wait_for_shard(job)
    cluster.cancel(job)
    assert cluster.wait(job, "CANCELLED", "PENDING") == "CANCELLED", cluster.log(job)
    job = run.submit(launch=launch)
    cluster.go_on(job)
    run.expect_same_results()


@pytest.mark.nodes(1)
def test_a_job_beyond_its_time_limit_comes_back(cluster: Cluster, nodes: list[str]) -> None:
    """Nobody has told it before: Slurm ends it as it does a cancelled one."""
    job = _stub_job(cluster, nodes[0], "beyond", STOPS, "--time=1", "--signal=B:URG@1", launch="srun")
    cluster.wait_for_requeue(job, timeout=150)
    cluster.go_on(job)
    assert "DUE TO TIME LIMIT" in cluster.log(job)


@pytest.mark.nodes(1)
def test_a_preempted_job_comes_back_where_slurm_cancels_it(cluster: Cluster, nodes: list[str]) -> None:
    job = _stub_job(cluster, nodes[0], "spare", STOPS, "--partition=spare")
    until("it works", (cluster.folder / "spare" / "is-up").exists, log=lambda: cluster.log(job))
    urgent = _script(cluster.folder / "spare", "sleep 1")
    cluster.sbatch(urgent, options=["--partition=urgent", f"--nodelist={nodes[0]}", "--mem=4000M"], cwd=urgent.parent)
    cluster.wait_for_requeue(job)
    cluster.go_on(job)
    assert "DUE TO PREEMPTION" in cluster.log(job)
    assert "start 1 of this job: queueing it again" in cluster.log(job)


@pytest.mark.nodes(1)
def test_a_job_that_is_queued_again_already_is_left_so(cluster: Cluster, nodes: list[str]) -> None:
    """By a person here; by Slurm itself after a preemption, and where a node is lost."""
    job = _stub_job(cluster, nodes[0], "by-hand", STOPS, launch="srun")
    until("it works", (cluster.folder / "by-hand" / "is-up").exists, log=lambda: cluster.log(job))
    cluster.command("scontrol", "requeue", job)
    until("the script says so", lambda: "exit 75: Slurm has queued this job again itself" in cluster.log(job), log=lambda: cluster.log(job))
    cluster.go_on(job)
    assert cluster.restarts(job) == 1


@pytest.mark.nodes(1)
def test_a_job_that_is_lost_early_five_times_is_not_queued_again(cluster: Cluster, nodes: list[str]) -> None:
    job = _stub_job(cluster, nodes[0], "lost-early", "exit 137")
    with pytest.raises(AssertionError, match="is FAILED"):
        cluster.go_on(job)
    assert cluster.log(job).count("queueing it again (Slurm") == 4
    assert cluster.restarts(job) >= 4, "on a busy machine Slurm itself may fail to start it, which counts too"
    assert cluster.info(job)["ExitCode"] == "137:0"
    assert "exit 137, the fifth start in a row that was lost early: not queueing it again" in cluster.log(job)
    assert {path.name for path in (cluster.folder / "lost-early").iterdir()} == {"script.sh", f"slurm-{job}.out"}, "nothing is left beside the log"


@pytest.mark.nodes(3)
def test_a_run_goes_on_with_more_nodes(cluster: Cluster, nodes: list[str]) -> None:
    run = Run(cluster, "larger", 4, nodes)
    small = run.submit(nodes=nodes[:1], tasks=2)
    run.wait_for_shard(small)
    said = cluster.pantile("ctl", run.output, "drain")
    assert "its Slurm job is not queued again" in said
    assert cluster.wait(small) == "FAILED"
    assert cluster.info(small)["ExitCode"] == "75:0"
    assert cluster.restarts(small) == 0, "it would compete with the larger one"
    assert "Slurm does not queue it again" in cluster.log(small)
    before = run.status()["done"]
    assert 0 < before < 60
    large = run.submit(tasks=2)
    cluster.go_on(large)
    assert f"{before} of 60" in cluster.log(large) or run.status()["done"] == 60
    devices = {device["name"].split(":")[0] for device in run.status()["devices"]}
    assert devices == set(nodes), "the rest was divided among all of them"
    run.expect_same_results()


def _stub_job(cluster: Cluster, node: str, name: str, text: str, *options: str, script: str = "cpu.sbatch", launch: str = "mpirun") -> str:
    """A job of one task that runs this in the place of Pantile, in a folder of its own."""
    folder = cluster.folder / name
    folder.mkdir()
    stub = _script(folder, text)
    needed = [f"--nodelist={node}", "--nodes=1", "--ntasks-per-node=1", "--cpus-per-task=1", "--mem=100M", "--time=5"]
    needed += ["--gres=gpu:1"] if script in ("gpu.sbatch", "mixed.sbatch") else []
    needed += ["--array=0"] if script == "array.sbatch" else []
    return cluster.sbatch(script, "a.yaml", options=[*needed, *options], cwd=folder, PANTILE=str(stub), PANTILE_LAUNCH=launch)


def _script(folder: Path, text: str) -> Path:
    path = folder / "script.sh"
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)
    return path
