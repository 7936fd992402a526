"""What a person mistypes or lacks: exit 2, one message, and the command that helps."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from runs import BINARY, ENGINE_VARIABLE, Job, environment


def refused(*words: object) -> str:
    done = subprocess.run([BINARY, *map(str, words)], capture_output=True, text=True, env=environment())
    assert done.returncode == 2 and done.stdout == "", done
    assert done.stderr.startswith("error: ") and done.stderr.count("error: ") == 1
    return done.stderr


def test_without_an_engine_doctor_is_named(tmp_path: Path) -> None:
    variables = {**environment(), ENGINE_VARIABLE: "/nonexistent"}
    done = subprocess.run([BINARY, "run", Job(tmp_path).write()], capture_output=True, text=True, env=variables)
    assert done.returncode == 2
    assert "See: pantile doctor" in done.stderr and ENGINE_VARIABLE in done.stderr


@pytest.mark.parametrize("command", ["status", "inspect", "verify"])
def test_a_job_file_or_an_empty_folder_is_no_run(tmp_path: Path, command: str) -> None:
    job = Job(tmp_path).write()
    assert "is a file, not a run folder" in refused(command, job)
    said = refused(command, tmp_path)
    assert "there is no run in" in said and "`pantile run JOB`" in said


def test_an_unknown_item_names_the_list_of_all(tmp_path: Path) -> None:
    subprocess.run([BINARY, "run", Job(tmp_path).write(), "--quiet"], check=True, env=environment())
    assert "`pantile inspect RUN` lists all" in refused("inspect", tmp_path / "out", "no-such-page.png")


def test_an_input_without_images_names_init(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "`pantile init DIR`" in refused("run", Job(tmp_path, inputs=[tmp_path / "empty"]).write())
