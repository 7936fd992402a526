"""What the scripts of slurm/ promise to whoever edits them; needs no Slurm."""

from __future__ import annotations

import re

import pytest
from cluster import TEMPLATES

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
