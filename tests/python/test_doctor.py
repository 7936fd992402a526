"""`pantile doctor`: what it says of this machine, and of machines that we spoil a little."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import time
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from runs import BINARY, ENGINE_VARIABLE, Job, environment


def doctor(
    *words: object, folder: Path | None = None, variables: dict[str, str] | None = None, **more: object
) -> tuple[int, dict[str, dict[str, str]]]:
    """Exit code and findings by check; the last one of a check counts."""
    begin = time.monotonic()
    done = subprocess.run(
        [str(BINARY), "doctor", *map(str, words), "--format", "json"],
        cwd=folder, capture_output=True, text=True, timeout=60, env={**environment(), **(variables or {})}, **more,
    )  # fmt: skip
    assert time.monotonic() - begin < 15, "five seconds, and room for a busy machine"
    assert done.stdout, done.stderr
    findings = json.loads(done.stdout)
    for finding in findings:
        assert finding["severity"] in ("ok", "note", "warning", "problem")
        assert (finding["severity"] == "ok") == (finding["why"] == ""), finding
    assert (done.returncode == 1) == any(finding["severity"] == "problem" for finding in findings)
    return done.returncode, {finding["check"]: finding for finding in findings}


def test_this_machine_is_fit_for_the_tests(tmp_path: Path) -> None:
    code, found = doctor(folder=tmp_path)
    assert code == 0, found
    assert {"engine", "codecs", "hdf5", "mpi", "cpu", "memory", "files", "shm", "gpu", "slurm", "disk"} <= set(found)
    assert "mpirun starts 2 ranks" in found["mpi"]["found"] or found["mpi"]["severity"] == "warning"
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"


def test_a_job_that_can_run_has_no_problem(tmp_path: Path) -> None:
    code, found = doctor(Job(tmp_path).write())
    assert code == 0, found
    assert found["model"]["found"].endswith("; runs")
    assert not (tmp_path / "out").exists(), "nothing is begun"


def test_a_missing_engine_is_a_problem(tmp_path: Path) -> None:
    code, found = doctor(Job(tmp_path).write(), variables={ENGINE_VARIABLE: "/nonexistent"})
    assert code == 1
    assert found["engine"]["severity"] == "problem" and "/nonexistent" in found["engine"]["found"]
    assert "not run" in found["model"]["found"], "the graph is read all the same"


def test_codecs_that_do_not_open_are_a_problem(tmp_path: Path) -> None:
    _, found = doctor(folder=tmp_path)
    assert found["codecs"]["severity"] == "ok" and Path(found["codecs"]["found"]).is_file()
    code, found = doctor(folder=tmp_path, variables={"PANTILE_IMGCODECS_LIB": "/nonexistent"})
    assert code == 1
    assert found["codecs"]["severity"] == "problem" and "/nonexistent" in found["codecs"]["found"]
    assert "JPEG 2000" in found["codecs"]["why"] and "PANTILE_IMGCODECS_LIB" in found["codecs"]["try"]


def test_without_mpirun_one_process_still_works(tmp_path: Path) -> None:
    code, found = doctor(folder=tmp_path, variables={"PATH": str(tmp_path)})
    assert code == 0
    assert found["mpi"]["severity"] == "warning" and "--ranks 1" in found["mpi"]["try"]


def test_an_mpirun_that_fails_is_quoted_and_one_that_hangs_is_ended(tmp_path: Path) -> None:
    mpirun = tmp_path / "mpirun"
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    mpirun.write_text("#!/bin/sh\necho 'no such component: odd' >&2\nexit 1\n")
    mpirun.chmod(0o755)
    code, found = doctor(folder=tmp_path, variables=path)
    assert code == 1 and "no such component: odd" in found["mpi"]["found"]
    mpirun.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 1000\n")
    code, found = doctor(folder=tmp_path, variables=path)
    assert code == 0 and found["mpi"]["severity"] == "warning"
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists(), "it was ended"


def test_few_open_files_are_a_problem(tmp_path: Path) -> None:
    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))

    # Without mpirun, which would hang.
    code, found = doctor(folder=tmp_path, variables={"PATH": str(tmp_path)}, preexec_fn=few)
    assert code == 1 and found["files"]["severity"] == "problem"


def test_a_shell_that_looks_like_a_rank_is_noticed(tmp_path: Path) -> None:
    _, found = doctor(folder=tmp_path, variables={"PMIX_RANK": "0"})
    assert found["mpi"]["severity"] == "note"


def test_what_a_job_lacks_is_found(tmp_path: Path) -> None:
    job = Job(tmp_path, inputs=[tmp_path / "gone"], model=tmp_path / "gone.onnx").write()
    text = job.read_text().replace(str(tmp_path / "out"), "/proc/out")
    job.write_text(text + "devices: {memory: {leave: 100%}}\n")
    code, found = doctor(job)
    assert code == 1
    for check in ("input", "model", "cap", "disk"):
        assert found[check]["severity"] == "problem", found[check]


def test_inputs_of_all_kinds_are_known(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("page.png\n")
    with zipfile.ZipFile(tmp_path / "book.cbz", "w") as book:
        book.writestr("page.png", b"")
    with h5py.File(tmp_path / "stack.h5", "w") as stack:
        stack["images"] = np.zeros((1, 8, 8), np.uint8)
    for name in ("list.txt", "book.cbz", "stack.h5:/images"):
        _, found = doctor(Job(tmp_path, inputs=[tmp_path / name]).write())
        assert found["input"]["severity"] == "ok", found["input"]
    _, found = doctor(Job(tmp_path, inputs=[tmp_path / "gone.h5:/images"]).write())
    assert found["input"]["severity"] == "problem"


def test_a_model_that_does_not_fit_the_job_is_found(tmp_path: Path) -> None:
    code, found = doctor(Job(tmp_path, image="{color: Y}").write())
    assert code == 1 and "color" in found["model"]["found"]
    (tmp_path / "bad.onnx").write_bytes(b"not a model")
    code, found = doctor(Job(tmp_path, model=tmp_path / "bad.onnx").write())
    assert code == 1 and "bad.onnx" in found["model"]["found"]


def test_mistakes_of_the_job_file_are_shown_as_always(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text("schema: 1\ninputs: []\n")
    for job, words in ((tmp_path / "job.yaml", "did you mean 'input'"), (tmp_path / "gone.yaml", "gone.yaml")):
        done = subprocess.run([BINARY, "doctor", job], capture_output=True, text=True, env=environment())
        assert done.returncode == 2 and words in done.stderr and done.stdout == ""


def test_a_run_that_is_there_is_named(tmp_path: Path) -> None:
    job = Job(tmp_path).write()
    subprocess.run([BINARY, "run", job, "--quiet"], check=True, env=environment())
    code, found = doctor(job)
    assert code == 0 and "holds a run" in found["run"]["found"]


@pytest.mark.parametrize("word", ["ok ", "try:"])
def test_the_table_is_for_people(tmp_path: Path, word: str) -> None:
    done = subprocess.run(
        [BINARY, "doctor"], cwd=tmp_path, capture_output=True, text=True,
        env={**environment(), ENGINE_VARIABLE: "/nonexistent"},
    )  # fmt: skip
    assert word in done.stdout and "1 problem" in done.stderr
