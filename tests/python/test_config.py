"""`pantile config`, and the words for files that are missing.

The schema that `pantile config schema` prints and the program must agree on what a job is. Two things hold for every job:
what the program takes, the schema takes; what only the program refuses is of the kinds below, which docs/config.md lists.
"""

from __future__ import annotations

import copy
import csv
import io
import json
import os
import random
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from runs import PAGES, SOURCE, UPSCALE, Job, environment, pantile
from ruamel.yaml import YAML

BROKEN_JOBS = SOURCE / "tests" / "config" / "broken"

# What a schema cannot see, by the words of the program.
ONLY_THE_PROGRAM_SEES = {
    "a stage that is not there": r"there is no stage",
    "the syntax of a glob": r"a '[\[{]' is not closed",
    "the number of values against `color`": r"has \d+ values",
    "the range of a quantity with a unit": r"cannot be '[0-9.]+ ?(?:B|[kKMGT]i?B|[kMG]P|ms|s|min|h)'",
    "what a variable holds": r"\$\{",
    "files to include": r"cannot open|includes itself",
    "what an included file should have said": r"missing key",
    "how a number is written: 010, 1e1, 0x40": r"cannot be '(?:0\d+|\d+e\d+|0x\d+|\d+\.0|\+\d+)'",
}
# The broken jobs that YAML readers and the schema take for good ones.
TAKEN_BY_THE_SCHEMA = {"bad_glob", "cyclic_include", "leading_zero", "missing_include", "unknown_stage"}


def schema(*options: str) -> dict:
    return json.loads(pantile("config", "schema", *options).stdout)


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    return Draft202012Validator(schema())


def check_jsonschema(tmp_path: Path, files: list[Path], *options: str) -> set[Path]:
    """The files that check-jsonschema refuses."""
    (tmp_path / "schema.json").write_text(pantile("config", "schema", *options).stdout)
    command = [sys.executable, "-m", "check_jsonschema", "--schemafile", str(tmp_path / "schema.json"), "-o", "json"]
    done = subprocess.run([*command, *map(str, files)], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode in (0, 1), done.stderr
    report = json.loads(done.stdout)
    return {Path(error["filename"]) for error in report.get("errors", []) + report.get("parse_errors", [])}


def complaint(job: Path) -> str:
    """Nothing if the program takes the job."""
    done = pantile("config", "show", job)
    assert done.returncode in (0, 2), done.stderr
    return done.stderr if done.returncode else ""


def jobs_of_the_docs(folder: Path) -> list[Path]:
    """Every block of YAML in a page that is a whole job."""
    pages = [SOURCE / "README.md", SOURCE / "ARCHITECTURE.md", *sorted((SOURCE / "docs").glob("*.md"))]
    blocks = [block for page in pages for block in re.findall(r"```ya?ml\n(.*?)```", page.read_text(), re.DOTALL)]
    jobs = []
    (folder / "site.yaml").write_text("output: {shard_size: 1GiB}\n")  # What one of them includes.
    for number, block in enumerate(block for block in blocks if "schema: 1" in block):
        path = folder / f"doc-{number}.yaml"
        path.write_text(block)
        jobs.append(path)
    return jobs


def test_the_schema_is_one(tmp_path: Path) -> None:
    for options in ((), ("--part",)):
        Draft202012Validator.check_schema(schema(*options))


def test_sample_jobs_and_those_of_docs_and_tests_agree_with_both(tmp_path: Path) -> None:
    everything = tmp_path / "everything.yaml"
    everything.write_text(pantile("config", "show", SOURCE / "configs" / "upscale.yaml", "--origin").stdout)
    docs = jobs_of_the_docs(tmp_path)
    jobs = [*sorted((SOURCE / "configs").glob("*.yaml")), *docs, Job(tmp_path).write(), everything]
    assert len(docs) >= 1
    assert check_jsonschema(tmp_path, jobs) == set()
    for job in jobs:
        assert complaint(job) == "", job


def test_both_refuse_the_broken_jobs_but_for_what_only_the_program_sees(tmp_path: Path) -> None:
    jobs = sorted(BROKEN_JOBS.glob("*.yaml"))
    assert len(jobs) >= 12
    for job in jobs:
        assert complaint(job), job
    jobs.remove(BROKEN_JOBS / "anchor_cycle.yaml")  # check-jsonschema itself dies of it (RecursionError).
    refused = {path.stem for path in check_jsonschema(tmp_path, jobs)}
    assert {path.stem for path in jobs} - refused == TAKEN_BY_THE_SCHEMA


def mutants(base: dict, seed: int) -> dict:
    """`base` with one to three keys dropped, mistyped, replaced or added."""
    rng = random.Random(seed)
    values = [None, True, False, 0, 1, -1, 2, 7, 96, 1.5, 0.25, -0.5, 10**6, 10**9, "", "x", "up", "auto", "none", "whole"]
    values += ["yes", "true", "5", "80%", "0%", "120%", "-1%", "1e1%", "256MiB", "1.5GiB", "64 KiB", "1KB", "7TB", "1gib", "1KiB"]
    values += ["60s", "250ms", "1.5h", "1min", "1h30min", "00:30:00", "40MP", "1.5GP", "3kP", "1Mp", "1/255", "1/0", "0/1", "-1/2"]
    values += ["1 / 127.5", "RGB", "rgb", "Y", "white", "keep", "equal", "dynamic", "quarantine", "image", "u8", "f32", "cpu", "gpu"]
    values += [[], {}, [None], ["x"], ["cpu"], ["cpu", "cpu"], [1], [1, 2], [0.5, "1/2", 3], ["**/*.png"], ["*.{png"], {"a": 1}]
    values += [{"path": "p"}, {"id": "s", "model": "m"}, [{"path": "p"}], [{"id": "s", "model": "m"}], {"p": {"from": "up"}}]
    values += ["a/b", "~/x", "~", "$HOME", "$$", "${HOME}", "${NOT_SET_ANYWHERE:-7}", "a\tb", "ü", "9lives", "a b", "a.b", "x" * 201]
    values += ["include.yaml", ["include.yaml"]]
    keys = ["schema", "include", "name", "input", "path", "exclude", "pipeline", "id", "model", "image", "scale", "alpha", "outputs"]
    keys += ["output", "dir", "tiles", "size", "memory", "cap", "limits", "max_ratio", "capp", "Tiles", "on_error", "retries", "mean"]

    job = copy.deepcopy(base)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        groups: list = []

        def collect(node: object, into: list) -> None:
            if isinstance(node, (dict, list)):
                into.append(node)
                for below in node.values() if isinstance(node, dict) else node:
                    collect(below, into)

        collect(job, groups)
        group = rng.choice([one for one in groups if one] or [job])
        if not group:
            return job
        key = rng.choice(list(group)) if isinstance(group, dict) else rng.randrange(len(group))
        action = rng.choice(["drop", "replace", "replace", "replace", "add", "typo"])
        if action == "drop":
            del group[key]
        elif action == "replace":
            group[key] = copy.deepcopy(rng.choice(values))
        elif isinstance(group, list):
            group.append(copy.deepcopy(rng.choice(values)))
        elif action == "add":
            group[rng.choice(keys)] = copy.deepcopy(rng.choice(values))
        else:
            group[str(key)[1:] or "q"] = group.pop(key)
    return job


def test_the_schema_and_the_program_give_the_same_verdict_on_mutated_jobs(
    tmp_path: Path, validator: Draft202012Validator
) -> None:
    whole = YAML(typ="safe").load(pantile("config", "show", SOURCE / "configs" / "upscale.yaml").stdout)
    least = {
        "schema": 1,
        "input": [{"path": "pages"}],
        "pipeline": [{"id": "up", "model": "m.onnx"}],
        "output": {"dir": "out"},
    }
    (tmp_path / "include.yaml").write_text("tiles: {size: 7}\n")
    count = int(os.environ.get("PANTILE_MUTANTS", "600"))

    def verdicts(seed: int) -> tuple[int, dict, bool, str]:
        job = mutants(least if seed % 2 else whole, seed)
        path = tmp_path / f"{seed}.yaml"
        path.write_text(json.dumps(job, ensure_ascii=False))  # JSON is YAML, in which both readers see the same.
        return seed, job, validator.is_valid(job), complaint(path)

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(verdicts, range(count)))
    false_alarms = [(seed, job) for seed, job, valid, said in results if not valid and not said]
    assert not false_alarms, f"the schema refuses what the program takes: {false_alarms[0]}"
    words = re.compile("|".join(ONLY_THE_PROGRAM_SEES.values()))
    missed = [(seed, job, said) for seed, job, valid, said in results if valid and said and not words.search(said)]
    assert not missed, f"seed {missed[0][0]}: the schema takes {missed[0][1]}\n{missed[0][2]}"
    refused = sum(1 for _, _, _, said in results if said)
    both = sum(1 for _, _, valid, said in results if said and not valid)
    assert count / 4 < refused < count, "the mutants are neither all good nor all bad"
    assert both > refused * 0.8, "most mistakes are seen by both"


def test_an_included_file_is_checked_as_a_part(tmp_path: Path) -> None:
    part = tmp_path / "base.yaml"
    part.write_text("tiles: {size: 96}\noutputs: {page: {dtype: u8}}\n")
    job = tmp_path / "job.yaml"
    job.write_text(
        "include: base.yaml\nschema: 1\ninput: [{path: pages}]\npipeline: [{id: up, model: m}]\n"
        "output: {dir: out}\noutputs: {page: {from: up}}\n"
    )
    assert complaint(job) == ""
    assert check_jsonschema(tmp_path, [part, job]) == {part}, "a job must be whole, unless it includes"
    assert check_jsonschema(tmp_path, [part, job], "--part") == set()


def test_a_quarter_of_a_job_is_refused_with_and_without_an_include(tmp_path: Path, validator: Draft202012Validator) -> None:
    assert not validator.is_valid({"schema": 1})
    assert not validator.is_valid({"include": "a.yaml", "tiles": {"sise": 1}})
    assert validator.is_valid({"include": "a.yaml"})
    assert not validator.is_valid({"include": "a.yaml", "input": [{}]}), "a list replaces: each entry is whole"


def test_keys_are_a_table_for_people_and_for_programs() -> None:
    rows = json.loads(pantile("config", "keys", "--format", "json").stdout)
    assert len(rows) > 30
    assert set(rows[0]) == {"key", "values", "default", "affects", "meaning"}
    assert {row["affects"] for row in rows} == {"result", "execution"}
    assert list(csv.DictReader(io.StringIO(pantile("config", "keys", "--format", "csv").stdout))) == rows
    page = (SOURCE / "docs" / "config.md").read_text()
    assert all(f"| `{row['key']}` |" in page for row in rows)
    text = pantile("config", "keys").stdout
    assert all(row["key"] in text and row["meaning"] in text for row in rows)
    found = [row["key"] for row in json.loads(pantile("config", "keys", "MEMORY", "--format", "json").stdout)]
    assert "devices.memory.cap" in found
    assert len(found) < len(rows) / 2
    none = pantile("config", "keys", "memroy")
    assert none.returncode == 2
    assert none.stdout == ""
    assert none.stderr == (
        "error: no key has 'memroy' in its name, values or meaning. Did you mean 'memory'? All keys: pantile config keys\n"
    )


def test_show_is_a_job_that_means_the_same(tmp_path: Path) -> None:
    job = Job(tmp_path, image="{color: RGB, scale: 1/127}").write()
    shown = pantile("config", "show", job, "--origin", "--set", "tiles.size=96").stdout
    again = tmp_path / "again.yaml"
    again.write_text(shown)
    assert pantile("config", "show", again).stdout == pantile("config", "show", job, "--set", "tiles.size=96").stdout
    assert re.search(r"^  size: 96 +# --set$", shown, re.MULTILINE)
    assert re.search(rf"^      scale: 1/127 +# {re.escape(str(job))}:\d+:\d+$", shown, re.MULTILINE)
    assert re.search(r"^  retries: 2 +# built-in$", shown, re.MULTILINE)


def test_a_run_reads_the_environment(tmp_path: Path) -> None:
    job = Job(tmp_path).write()
    variables = {**environment(), "PANTILE__TILES__SIZE": "huge"}
    command = [os.environ.get("PANTILE_BINARY", str(SOURCE / "build/release/pantile")), "run", str(job)]
    done = subprocess.run(command, capture_output=True, text=True, env=variables, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stderr == (
        "error: 'tiles.size' cannot be 'huge'\n"
        "  --> PANTILE__TILES__SIZE=huge\n"
        "                           ^^^^ expected auto, whole, or a whole number from 1 to 65536\n"
        "1 error, nothing was started. All keys: pantile config keys\n"
    )
    assert not (tmp_path / "out").exists()


def test_files_that_are_missing_are_named_before_anything_is_made(tmp_path: Path) -> None:
    model = pantile("run", Job(tmp_path, model=tmp_path / "m.onnx").write())
    assert (model.returncode, model.stderr) == (
        2,
        f"error: pipeline.stage.model: cannot open {tmp_path}/m.onnx: No such file or directory. "
        "Paths of a job file count from the job file's folder.\n",
    )
    pages = pantile("run", Job(tmp_path, model=UPSCALE, inputs=[PAGES, tmp_path / "scans"]).write())
    assert (pages.returncode, pages.stderr) == (
        2,
        f"error: input {tmp_path}/scans: there is no such file or folder (nothing to read). "
        "Check `input: path`; it is relative to the config file. Is its disk mounted?\n",
    )
    absent = pantile("run", tmp_path / "jbo.yaml")
    assert absent.returncode == 2
    assert f"cannot open {tmp_path}/jbo.yaml: No such file or directory" in absent.stderr
    assert not (tmp_path / "out").exists()
