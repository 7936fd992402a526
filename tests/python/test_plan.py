"""`pantile plan` is a contract: what it says is what `pantile run` does, and it leaves no trace."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import h5py
import pytest
from runs import BROKEN, PAGES, SHARPEN, Job, pantile, peak_bytes, run, verified


def planned(job: Path, output: Path, *arguments: object) -> dict:
    done = pantile("plan", job, "--output", output, *arguments, "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def live(output: Path) -> dict:
    return json.loads((output / "live.json").read_text())


def rows_of(output: Path, *columns: str) -> list[tuple]:
    rows = []
    for shard in sorted((output / "shards").glob("*.h5")):
        with h5py.File(shard) as file:
            rows += list(zip(*(file["index"][column][...].tolist() for column in columns), strict=True))
    return rows


@pytest.mark.parametrize("ranks", ["1", "3"])
@pytest.mark.parametrize("model", ["upscale", "sharpen"])
@pytest.mark.parametrize("tiles", ["auto", "64"])
def test_run_does_what_plan_says(tmp_path: Path, ranks: str, model: str, tiles: str) -> None:
    keys = [f"tiles: {{size: {tiles}}}"]
    job = (
        Job(tmp_path, keys=keys) if model == "upscale" else Job(tmp_path, model=SHARPEN, image="{color: Y, scale: 1/255}", keys=keys)
    ).write()
    output = tmp_path / "out"
    plan = planned(job, output, "--ranks", ranks)
    assert not output.exists(), "a plan leaves nothing behind"
    run(job, output, "--ranks", ranks)

    # The same units: every item, and the identity, work list and policy that the run names itself by.
    told = live(output)
    report = verified(output)
    assert plan["plan_id"] == told["plan_id"]
    assert plan["units"] == report["done"] == report["items"]
    # The same devices, lanes and cap.
    assert plan["devices"] == len(told["devices"])
    assert {(device["lanes"], device["cap_bytes"]) for device in told["devices"]} == {(plan["lanes"], plan["cap_bytes"])}
    # The same tiles, and what the engine took for each.
    rows = rows_of(output, "item", "tile_height", "tile_width", "peak_bytes")
    scale = 2 if model == "upscale" else 1
    items = json.loads(pantile("inspect", output, "--format", "json").stdout)["items"]
    pixels = {item["id"]: item["height"] * item["width"] // scale**2 for item in items}
    for item_class in plan["classes"]:
        lower = max([one["max_px"] for one in plan["classes"] if one["max_px"] < item_class["max_px"]], default=0)
        mine = [row for row in rows if lower < pixels[row[0]] <= item_class["max_px"]]
        assert mine
        assert max(row[1] for row in mine) == item_class["tile_px"][0]
        assert max(row[2] for row in mine) == item_class["tile_px"][1]
        assert max(row[3] for row in mine) <= item_class["tile_bytes"]
    largest = max(row[3] for row in rows)
    tile_bytes = max(one["tile_bytes"] for one in plan["classes"])
    floats = 4 * 2 * 3 * scale**2 * max(row[1] * row[2] for row in rows)  # input and output of a tile, beside the engine's
    assert tile_bytes - floats <= 1.1 * largest
    # The disk that it said.
    written = sum(path.stat().st_size for path in (output / "shards").glob("*.h5"))
    assert plan["disk_bytes"] <= written <= 1.02 * plan["disk_bytes"] + 1_500_000 * plan["devices"]


@pytest.mark.skipif(bool(os.environ.get("PANTILE_SANITIZE")), reason="a sanitizer's shadow memory is resident too")
def test_the_peak_that_plan_says_is_not_passed_and_is_not_far(tmp_path: Path) -> None:
    job = Job(tmp_path).write()
    plan = planned(job, tmp_path / "out")
    peak = peak_bytes(job, tmp_path / "out")
    assert peak <= plan["peak_bytes"] <= 1.6 * peak


def test_what_is_done_is_not_planned_again(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for path in [*sorted(PAGES.glob("small*")), PAGES / "page-01.png", BROKEN / "page-cut.jpg", BROKEN / "empty.png"]:
        shutil.copy(path, folder / path.name)
    job = Job(tmp_path, inputs=[folder]).write()
    plan = planned(job, tmp_path / "out")
    assert (plan["items"], plan["units"], plan["quarantined"]) == (5, 4, 1), "an empty file is seen by its header"
    assert "empty.png" in pantile("plan", job).stdout
    run(job, tmp_path / "out", code=3)
    again = planned(job, tmp_path / "out")
    assert (again["items"], again["done"], again["quarantined"], again["units"]) == (5, 3, 2, 0)
    assert again["disk_bytes"] == 0
    text = pantile("plan", job, "--output", tmp_path / "out").stdout
    assert "1 truncated" in text
    assert "nothing is left to do" in text
    assert planned(job, tmp_path / "out", "--retry-failed")["units"] == 1
    assert planned(job, tmp_path / "out", "--fresh")["units"] == 4


def test_a_plan_of_another_run_in_the_same_folder_is_refused_like_the_run(tmp_path: Path) -> None:
    job = Job(tmp_path, include=["small.png"]).write()
    run(job, tmp_path / "out")
    for command in ("plan", "run"):
        done = pantile(command, job, "--set", "pipeline.stage.output.scale=100")
        assert done.returncode == 2
        assert "holds another run" in done.stderr


def test_what_if_there_were_more_nodes_or_another_cap(tmp_path: Path) -> None:
    job = Job(tmp_path).write()
    plan = planned(job, tmp_path / "out", "--what-if", "nodes=4", "--what-if", "cap=300MiB")
    more, less = plan["what_if"]
    assert more["devices"] == 4 * plan["devices"]
    assert less["cap_bytes"] == 300 << 20
    assert less["peak_bytes"] <= less["cap_bytes"]
    for wrong, word in (("gpus=4", "CPUs only"), ("nodes=0", "from 1 on"), ("lanes=3", "nodes=N")):
        done = pantile("plan", job, "--what-if", wrong)
        assert done.returncode == 2
        assert word in done.stderr


def test_too_small_a_cap_is_told_by_plan_as_by_run(tmp_path: Path) -> None:
    job = Job(tmp_path).write()
    said = [pantile(command, job, "--set", "devices.memory.cap=24MiB") for command in ("plan", "run")]
    assert [done.returncode for done in said] == [2, 2]
    assert all("devices.memory.cap" in done.stderr for done in said)
