"""What a job is given of a cluster, and what becomes of it: `pantile submit`, arrays, GPUs."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path

import pytest
from cluster import Cluster
from runs import PAGES, Job

MIB = 1 << 20
_alone = threading.Lock()


def written(cluster: Cluster, name: str, *keys: str) -> tuple[Path, Path]:
    """A job of the sample pages in a folder of its own, and where its results go."""
    folder = cluster.folder / name
    return Job(folder, inputs=[PAGES], keys=list(keys)).write(), folder / "out"


def verified(cluster: Cluster, output: Path) -> dict:
    return json.loads(cluster.pantile("verify", output, "--format", "json"))


def digest_on_one_machine(cluster: Cluster) -> str:
    with _alone:
        job, output = written(cluster, "alone")
        if not output.exists():
            cluster.pantile("run", job)
        return verified(cluster, output)["digest"]


def on_these(nodes: list[str]) -> str:
    return f"--sbatch=--nodelist={','.join(nodes)}"


@pytest.mark.nodes(3)
def test_the_script_of_a_dry_run_runs_as_it_is(cluster: Cluster, nodes: list[str]) -> None:
    job, output = written(cluster, "dry")
    said = cluster.pantile("submit", job, "--dry-run", "--nodes", 3, on_these(nodes))
    script = job.parent / "queued.sh"
    script.write_text(said[said.index("#!/bin/bash") :])  # what it says on stderr stands before
    number = cluster.sbatch(script)
    assert cluster.wait(number) == "COMPLETED", cluster.log(number)
    assert int(cluster.info(number)["NumNodes"]) == 3
    report = verified(cluster, output)
    assert (report["done"], report["digest"]) == (15, digest_on_one_machine(cluster))


@pytest.mark.nodes(2)
def test_a_submitted_job_gets_what_was_planned(cluster: Cluster, nodes: list[str]) -> None:
    job, output = written(cluster, "submitted")
    said = cluster.pantile("submit", job, "--nodes", 2, "--time", "20min", on_these(nodes))
    number = re.findall(r"^\d+$", said, re.M)[0]
    assert cluster.wait(number) == "COMPLETED", cluster.log(number)
    info = cluster.info(number)
    assert (info["NumNodes"], info["TimeLimit"], info["CPUs/Task"]) == ("2", "00:20:00", "1")
    assert verified(cluster, output)["digest"] == digest_on_one_machine(cluster)
    again = cluster.pantile("submit", job)
    assert "nothing is left to do" in again


@pytest.mark.nodes(2)
def test_the_parts_of_an_array_are_the_whole(cluster: Cluster, nodes: list[str]) -> None:
    job, output = written(cluster, "array")
    said = cluster.pantile("submit", job, "--array", 4)
    number = re.findall(r"^\d+$", said, re.M)[0]
    for part in range(4):
        assert cluster.wait(f"{number}_{part}") == "COMPLETED", cluster.log(f"{number}_{part}")
    items = []
    for part in range(1, 5):
        folder = output.with_name(f"out-part-{part}-of-4")
        report = json.loads(cluster.pantile("inspect", folder, "--format", "json"))
        items += [item["path"] for item in report["items"] if item["status"] == "done"]
    assert sorted(items) == sorted(path.name for path in PAGES.iterdir())


@pytest.mark.nodes(2)
@pytest.mark.parametrize("launch", ["mpirun", "srun"])
def test_ranks_have_the_gpus_of_the_allocation(cluster: Cluster, nodes: list[str], launch: str) -> None:
    """With made-up GPUs, which compute on the CPU: names, caps and results are what they would be."""
    job, output = written(cluster, f"gpus-{launch}", "devices: {memory: {per_device: {gpu1: 150MiB}}}")
    number = cluster.sbatch(
        "gpu.sbatch", job, options=["--nodes=2", f"--nodelist={','.join(nodes)}", "--gres=gpu:2", "--ntasks-per-node=2",
                                    "--cpus-per-task=1", "--mem=900M", "--time=30"],
        cwd=job.parent, PANTILE_FAKE_GPUS="2", PANTILE_LAUNCH=launch,
    )  # fmt: skip
    assert cluster.wait(number) == "COMPLETED", cluster.log(number)
    assert verified(cluster, output)["digest"] == digest_on_one_machine(cluster)
    devices = {device["name"]: device["cap_bytes"] for device in json.loads((output / "live.json").read_text())["devices"]}
    first, second = sorted(nodes)
    assert devices.keys() == {f"{first}:gpu0", f"{second}:gpu0", f"{second}:gpu1"}, "the first rank of all coordinates"
    assert devices[f"{second}:gpu1"] == 150 * MIB
    assert devices[f"{second}:gpu0"] > 150 * MIB


@pytest.mark.nodes(2)
@pytest.mark.parametrize("script", ["gpu.sbatch", "mixed.sbatch"])
def test_a_rank_more_than_gpus_coordinates_or_computes_on_its_cores(cluster: Cluster, nodes: list[str], script: str) -> None:
    """Which of both depends on the node. The job has one GPU of each node's two, and uses no other."""
    job, output = written(cluster, f"one-more-{script}")
    number = cluster.sbatch(
        script, job, options=["--nodes=2", f"--nodelist={','.join(nodes)}", "--gres=gpu:1", "--ntasks-per-node=2",
                                      "--cpus-per-task=1", "--mem=900M", "--time=30"],
        cwd=job.parent, PANTILE_FAKE_GPUS="2",
    )  # fmt: skip
    assert cluster.wait(number) == "COMPLETED", cluster.log(number)
    assert verified(cluster, output)["digest"] == digest_on_one_machine(cluster)
    first, second = sorted(nodes)
    names = {device["name"] for device in json.loads((output / "live.json").read_text())["devices"]}
    assert names == {f"{first}:gpu0", f"{second}:gpu0", f"{second}:cpu1"}
