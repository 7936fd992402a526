"""What the scripts of slurm/ promise to whoever edits them; needs no Slurm."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
from cluster import TEMPLATES, until

MPI = ("cpu", "gpu", "mixed")
ALL = (*MPI, "array")
BODY = "# ---- nothing below depends on the job"


def text(name: str) -> str:
    return (TEMPLATES / f"{name}.sbatch").read_text()


@pytest.mark.parametrize("name", ALL)
def test_each_value_of_a_job_has_a_line_of_its_own(name: str) -> None:
    lines = [line for line in text(name).splitlines() if line.startswith("#SBATCH")]
    options = [re.fullmatch(r"#SBATCH --([a-z-]+)(=\S+)?", line)[1] for line in lines]
    assert len(options) == len(set(options))
    for needed in ("job-name", "output", "nodes", "ntasks-per-node", "cpus-per-task", "mem", "time", "signal", "requeue", "open-mode"):
        assert needed in options
    assert ("gres" in options) == (name in ("gpu", "mixed"))
    assert ("array" in options) == (name == "array")
    assert not re.search(r"#SBATCH", text(name).split(BODY)[1])


def test_what_scripts_have_in_common_is_the_same_in_each() -> None:
    assert len({text(name).split(BODY)[1] for name in MPI}) == 1
    assert len({text(name)[text(name).index("# bash runs a trap") :] for name in ALL}) == 1
    assert len({re.search(r"# Whoever is told.*?\n\n", text(name), re.S)[0] for name in ALL}) == 1


class Script:
    """A template that runs without Slurm, with programs of a folder in the place of Slurm's and of Pantile."""

    def __init__(self, folder: Path, name: str, **programs: str) -> None:
        self.folder = folder
        stubs = {"scontrol": 'echo "$*" >>asked; echo "JobState=RUNNING Restarts=1 Reason=None PreemptTime=None"', "sleep": ":", **programs}
        (folder / "bin").mkdir()
        for program, lines in stubs.items():
            path = folder / "bin" / program
            path.write_text(f"#!/bin/bash\n{lines}\n")
            path.chmod(0o755)
        variables = {"SLURM_JOB_ID": "7", "SLURM_JOB_NUM_NODES": "1", "SLURM_NTASKS_PER_NODE": "1", "SLURM_RESTART_COUNT": "1"}
        if name == "array":
            variables |= {"SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "0", "SLURM_ARRAY_TASK_COUNT": "1"}
        if "srun" in programs:
            variables["PANTILE_LAUNCH"] = "srun"
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("SLURM_", "PANTILE"))}
        self.process = subprocess.Popen(
            ["bash", TEMPLATES / f"{name}.sbatch", "a.yaml"], cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=clean | variables | {"PATH": f"{folder}/bin:{os.environ['PATH']}"},
        )  # fmt: skip

    def tell_when(self, name: str) -> None:
        until(f"there is {name}", (self.folder / name).exists, 20)
        self.process.send_signal(signal.SIGUSR2)

    def end(self) -> int:
        self.said, _ = self.process.communicate(timeout=30)
        return self.process.returncode

    def asked(self) -> list[str]:
        return (self.folder / "asked").read_text().splitlines()


@pytest.mark.parametrize("name", MPI)
def test_a_signal_before_pantile_is_there_starts_none(tmp_path: Path, name: str) -> None:
    """While the script passes over the steps of earlier starts."""
    (tmp_path / "gate").touch()
    script = Script(tmp_path, name, srun="touch steps; while [ -e gate ]; do /bin/sleep 0.05; done", pantile="touch started")
    script.tell_when("steps")
    (tmp_path / "gate").unlink()
    assert script.end() == 140, script.said
    assert not (tmp_path / "started").exists()
    assert script.asked()[-1] == "requeue 7"


@pytest.mark.parametrize("name", ALL)
def test_a_signal_before_pantile_listens_is_no_failure(tmp_path: Path, name: str) -> None:
    script = Script(tmp_path, name, pantile="touch is-up; while :; do /bin/sleep 1; done")
    script.tell_when("is-up")
    assert script.end() == 140, script.said
    assert script.asked()[-1] == ("requeue 7_0" if name == "array" else "requeue 7")


@pytest.mark.parametrize("name", ALL)
def test_a_signal_is_passed_on_once(tmp_path: Path, name: str) -> None:
    pantile = "trap 'echo told >>told' USR2; touch is-up; until [ -e told ]; do /bin/sleep 0.05; done; /bin/sleep 0.2; exit 75"
    script = Script(tmp_path, name, pantile=pantile)
    script.tell_when("is-up")
    assert script.end() == 75, script.said
    assert (tmp_path / "told").read_text() == "told\n"
    assert "exit 75, start 2 of this job" in script.said


def test_a_signal_while_pantile_ends_does_not_hide_how(tmp_path: Path) -> None:
    """bash 5.2 forgets the exit code of a child that ends while a signal interrupts the wait for it."""
    for number in range(40):
        folder = tmp_path / str(number)
        folder.mkdir()
        script = Script(folder, "cpu", pantile="trap '' USR2; kill -TERM $PPID; exit 75")
        assert script.end() == 75, script.said


@pytest.mark.parametrize("more", [[], ["--set", "devices.memory.cap=60%", "--output", "else where"]])
def test_what_stands_behind_the_job_goes_to_pantile(tmp_path: Path, more: list[str]) -> None:
    for name, lines in {
        "salloc": 'while [[ $1 == --* ]]; do shift; done; SLURM_JOB_NUM_NODES=2 SLURM_NTASKS_PER_NODE=3 exec "$@"',
        "pantile": 'printf "%s\\n" "$@"',
    }.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{lines}\n")
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        [TEMPLATES / "interactive.sh", "my job.yaml", *more],
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PANTILE": "pantile"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["run", "my job.yaml", "--ranks", "6", *more]
