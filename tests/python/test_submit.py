"""`pantile submit`, as far as it goes without a cluster: tests/slurm queues its scripts on a real one."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from runs import BINARY, PAGES, Job, environment, pantile, run


def script_of(job: Path, *arguments: object) -> str:
    """Where no cluster answers, though these tests may run on a login node of one."""
    folder = job.parent / "no cluster"
    folder.mkdir(exist_ok=True)
    (folder / "sinfo").write_text("#!/bin/sh\nexit 1\n")
    (folder / "sinfo").chmod(0o755)
    done = submit(folder, job, "--dry-run", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def options(script: str) -> dict[str, str]:
    return dict(re.findall(r"^#SBATCH --([a-z-]+)=(.*)$", script, re.M))


@pytest.fixture
def cluster(tmp_path: Path):
    """Programs by the names of Slurm's, which keep what they are given."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def make(name: str, text: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)

    make("sinfo", f"cat {tmp_path}/sinfo")
    queues = ["main*|6|8|16000|gpu:2|2:00:00|up|1-infinite|idle", "long|3|64|256000|(null)|infinite|up|1-2|mix"]
    (tmp_path / "sinfo").write_text("\n".join(queues) + "\n")
    make("sbatch", f'for last; do :; done; cp "$last" {tmp_path}/queued.sh; echo "sbatch: a note"; echo "4711;here"')
    return folder


def submit(cluster: Path, job: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    variables = environment()
    variables["PATH"] = f"{cluster}:{variables['PATH']}"
    return subprocess.run([BINARY, "submit", job, *map(str, arguments)], capture_output=True, text=True, env=variables, timeout=120)


def test_what_a_dry_run_prints_is_a_script_that_bash_takes(tmp_path: Path) -> None:
    job = Job(tmp_path, keys=[]).write()
    for arguments in ([], ["--gpus", "2"], ["--template", "mixed", "--gpus", "1"], ["--array", "3"], ["--template", "array", "--array", "3"]):
        script = script_of(job, *arguments)
        checked = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True)
        assert checked.returncode == 0, checked.stderr
        assert f"\njob={job}\n" in script
        assert f"\npantile={BINARY.resolve()}\n" in script
        assert not (tmp_path / "out").exists(), "nothing is written"


def test_the_script_asks_for_what_is_said(tmp_path: Path) -> None:
    job = Job(tmp_path).write()
    script = script_of(
        job, "--nodes", 5, "--tasks-per-node", 3, "--cpus-per-task", 7, "--mem", "24GiB", "--time", "90min", "--gpus", 2,
        "--partition", "long", "--sbatch=--account=lab", "--sbatch=--comment=for Anna's thesis", "--sbatch=-C ib",
        "--set", "devices.memory.cap=70%", "--output", tmp_path / "else where",
    )  # fmt: skip
    asked = options(script)
    assert asked["nodes"] == "5"
    assert asked["ntasks-per-node"] == "3"
    assert asked["cpus-per-task"] == "7"
    assert asked["mem"] == "24576M"
    assert asked["time"] == "01:30:00"
    assert asked["gres"] == "gpu:2"
    assert asked["partition"] == "long"
    assert asked["account"] == "lab"
    assert "\n#SBATCH --comment='for Anna'\\''s thesis'\n" in script
    assert "\n#SBATCH -C ib\n" in script
    assert "\n#SBATCH --comment='as it is'\n" in script_of(job, "--sbatch=--comment='as it is'")
    assert f"\noptions=(--set devices.memory.cap=70% --output '{tmp_path}/else where')\n" in script


def test_the_queue_decides_what_nothing_is_said_of(tmp_path: Path, cluster: Path) -> None:
    job = Job(tmp_path).write()
    done = submit(cluster, job)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "4711\n"
    asked = options((tmp_path / "queued.sh").read_text())
    assert (asked["nodes"], asked["ntasks-per-node"], asked["cpus-per-task"]) == ("1", "2", "4")
    assert "partition" not in asked
    assert "queued as job 4711" in done.stderr

    submit(cluster, job, "--partition", "long")
    asked = options((tmp_path / "queued.sh").read_text())
    assert (asked["partition"], asked["cpus-per-task"]) == ("long", "32")

    done = submit(cluster, job, "--partition", "nowhere")
    assert done.returncode == 2
    assert "There are: main, long" in done.stderr


def test_an_array_has_a_folder_for_each_part(tmp_path: Path) -> None:
    script = script_of(Job(tmp_path).write(), "--array", 12)
    assert options(script)["array"] == "0-11"
    assert f"\nfolder={tmp_path}/out\n" in script


def test_options_that_do_not_go_together_are_refused(tmp_path: Path, cluster: Path) -> None:
    job = Job(tmp_path).write()
    for arguments, words in (
        (["--array", 3, "--template", "cpu"], "--array makes jobs by the template array, not cpu"),
        (["--template", "array"], "--template array wants --array N"),
        (["--template", "gpu"], "--template gpu wants --gpus N"),
        (["--template", "mixed"], "--template mixed wants --gpus N"),
        (["--template", "cpu", "--gpus", 1], "--gpus wants the template gpu or mixed, not cpu"),
        (["--array", 3, "--gpus", 1], "--gpus wants the template gpu or mixed, not array"),
        (["--sbatch=--comment=one\nrm -rf x"], "not an option of sbatch"),
        (["--sbatch=account=lab"], "not an option of sbatch"),
    ):
        done = submit(cluster, job, *arguments)
        assert done.returncode == 2, (arguments, done.stderr)
        assert words in done.stderr
    assert not (tmp_path / "queued.sh").exists()


def test_what_a_queue_will_never_give_is_not_asked_for(tmp_path: Path, cluster: Path) -> None:
    job = Job(tmp_path).write()
    for arguments, words in (
        (["--nodes", 7], "partition main: 7 nodes are asked for, and a job gets no more than 6"),
        (["--nodes", 3, "--partition", "long"], "partition long: 3 nodes are asked for, and a job gets no more than 2"),
        (["--cpus-per-task", 5], "10 cores a node are asked for, and no node has more than 8"),
        (["--gpus", 3], "3 GPUs a node are asked for, and no node has more than 2"),
        (["--mem", "16GiB"], "16384 MiB a node are asked for, and no node has more than 16000"),
        (["--time", "3h"], "180 minutes are asked for, and a job gets no more than 120"),
        (["--time", "2min"], "it would stop as it starts"),
    ):
        done = submit(cluster, job, *arguments)
        assert done.returncode == 2, (arguments, done.stderr)
        assert words in done.stderr
    assert not (tmp_path / "queued.sh").exists()


def test_no_memory_is_asked_for_where_slurm_knows_of_none(tmp_path: Path, cluster: Path) -> None:
    """RealMemory is 1 MB where it is not configured: a job that asks for more waits for ever, and one for 1 MB is no use."""
    (tmp_path / "sinfo").write_text("main*|6|8|1|(null)|infinite|up|1-infinite|idle\n")
    job = Job(tmp_path).write()
    done = submit(cluster, job)
    assert done.returncode == 0, done.stderr
    assert "all their memory" in done.stderr
    assert "mem" not in options((tmp_path / "queued.sh").read_text())
    assert options(script_of(job))["mem"].endswith("M"), "this machine stands for a node"


def test_what_sbatch_says_is_passed_on(tmp_path: Path, cluster: Path) -> None:
    (cluster / "sbatch").write_text("#!/bin/sh\necho 'sbatch: error: Batch job submission failed: Invalid account' >&2; exit 1\n")
    done = submit(cluster, Job(tmp_path).write())
    assert done.returncode == 1
    assert "Invalid account" in done.stderr
    assert done.stdout == ""


def test_nothing_is_queued_that_would_not_start(tmp_path: Path, cluster: Path) -> None:
    def refused(job: Path, words: str, *arguments: object) -> None:
        done = submit(cluster, job, *arguments)
        assert done.returncode == 2, done.stderr
        assert words in done.stderr
        assert not (tmp_path / "queued.sh").exists()

    refused(Job(tmp_path / "a", keys=["tile: 3"]).write(), "tile")
    refused(Job(tmp_path / "b", model=tmp_path / "none.onnx").write(), "none.onnx")
    refused(Job(tmp_path / "c", inputs=[tmp_path / "away"]).write(), "away")
    refused(Job(tmp_path / "d", keys=["devices: {memory: {cap: 2MiB}}"]).write(), "devices.memory.cap")
    small = tmp_path / "small"
    small.mkdir()
    job = Job(tmp_path / "e").write()
    mount = f'mount -t tmpfs -o size=1m small "{small}" && exec "$0" submit "$1" --output "{small}/out"'
    variables = {**environment(), "PATH": f"{cluster}:{environment()['PATH']}"}
    done = subprocess.run(["unshare", "-m", "sh", "-c", mount, BINARY, job], capture_output=True, text=True, env=variables)
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip("no right to mount a small disk")
    assert done.returncode == 2
    assert "are free in" in done.stderr
    assert not (tmp_path / "queued.sh").exists()


def test_a_run_that_is_done_is_not_queued(tmp_path: Path, cluster: Path) -> None:
    job = Job(tmp_path, include=["small.png"]).write()
    run(job, tmp_path / "out")
    done = submit(cluster, job)
    assert done.returncode == 0
    assert "nothing is left to do" in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "queued.sh").exists()


def test_folders_of_this_machine_only_are_named(tmp_path: Path, cluster: Path) -> None:
    job = Job(tmp_path, inputs=[PAGES]).write()
    done = submit(cluster, job, "--output", "/tmp/pantile-test-submit/out")
    assert "is on this machine only" in done.stderr


def test_parts_together_are_the_whole(tmp_path: Path) -> None:
    """Every item once, with the pixels that the whole run has; a part may be empty."""
    job = Job(tmp_path).write()

    def items(output: Path) -> dict[str, str]:
        lines = pantile("inspect", output, "--format", "csv").stdout.splitlines()
        names = lines[0].split(",")
        rows = [dict(zip(names, line.split(","))) for line in lines[1:]]
        return {row["path"]: row["height"] + "x" + row["width"] for row in rows}

    whole = tmp_path / "whole"
    run(job, whole)
    together: dict[str, str] = {}
    for number in range(1, 5):
        output = tmp_path / f"part-{number}"
        run(job, output, "--set", f"part={number}/4", *([] if number > 1 else ["--ranks", 2]))
        part = items(output)
        assert not together.keys() & part.keys()
        together.update(part)
    assert together == items(whole)
    empty = tmp_path / "empty"
    run(job, empty, "--set", "part=31/77")
    assert items(empty) == {}
    refused = pantile("run", job, "--output", tmp_path / "part-1", "--set", "part=2/4")
    assert refused.returncode == 2
    assert "- part: 1/4" in refused.stderr
