"""`pantile why`: where a result comes from and why it was made so, of items that are done, in quarantine or not begun."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from runs import PAGES, Job, pantile, run

MiB = 1 << 20


def why(output: Path, item: object) -> dict:
    done = pantile("why", output, item, "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def small_job(tmp_path: Path) -> Path:
    pages = tmp_path / "pages"
    pages.mkdir()
    for name in ("page-04-05.jpg", "small.png"):
        shutil.copy(PAGES / name, pages / name)
    (pages / "cut.jpg").write_bytes((PAGES / "page-03.jpg").read_bytes()[:20_000])
    return Job(tmp_path, inputs=[pages]).write()


def test_each_block_has_the_plan_of_the_cap_that_it_was_made_under(tmp_path: Path) -> None:
    job, output = small_job(tmp_path), tmp_path / "out"
    run(job, output, "--ranks", "3", "--set", "devices.memory.cap=200MiB", code=3)
    found = why(output, "page-04-05.jpg")
    assert (found["status"], found["extent_px"], found["notes"]) == ("done", [900, 1300], [])
    assert [block["block"] for block in found["blocks"]] == [0, 1]
    planned = json.loads(pantile("plan", job, "--output", tmp_path / "other", "--ranks", "3", "--set", "devices.memory.cap=200MiB", "--format", "json").stdout)
    for block in found["blocks"]:
        assert (output / "shards" / block["shard"]).exists() and f"-r{block['rank']:04}-" in block["shard"]
        assert block["compute_ms"] > 0 and block["write_ms"] > 0 and block["peak_bytes"] > 0
        plan = block["plans"][0]
        assert plan["cap_bytes"] == 100 * MiB, "two workers share it"
        assert 0 < plan["predicted_bytes"] <= plan["cap_bytes"]
        assert plan["why"].startswith(f"tiles of {plan['tile_px'][0]}×{plan['tile_px'][1]} px, {plan['lanes']} lane")
        assert (plan["tile_px"], plan["lanes"]) == (planned["tile_px"], planned["lanes"])
    assert sum(decode["count"] for decode in found["decodes"]) == 1
    row = next(line for line in pantile("inspect", output, "small.png", "--format", "csv").stdout.splitlines() if "small.png" in line).split(",")
    block = why(output, "small.png")["blocks"][0]
    assert row[4:6] == [block["shard"], str(block["row"])]
    text = pantile("why", output, "small.png").stdout
    assert "\nstate     done: 1 block\n" in text and "of which" in text and plan["why"].split(",")[0] in text


def test_attempts_that_failed_are_told_and_lost_logs_and_shards_are_no_failure(tmp_path: Path) -> None:
    job, output = small_job(tmp_path), tmp_path / "out"
    run(job, output, code=3)
    run(job, output, "--retry-failed", code=3)
    cut = why(output, "cut.jpg")
    assert (cut["status"], cut["reason"]["fault"], cut["blocks"]) == ("quarantined", "truncated", [])
    assert [(event["event"], event["epoch"]) for event in cut["events"]] == [("quarantined", 1), ("released", 2), ("quarantined", 2)]
    number = why(output, "small.png")["item"]
    shutil.rmtree(output / "logs")
    found = why(output, number)
    assert found["path"] == "small.png" and found["blocks"][0]["plans"] == [] and found["blocks"][0]["peak_bytes"] > 0
    assert "rank-0001.jsonl tells nothing of epoch 1" in found["notes"][0]
    for shard in (output / "shards").iterdir():
        shard.unlink()
    found = why(output, number)
    assert found["status"] == "done" and found["blocks"] == [] and "--repair" in found["notes"][0]
    done = pantile("why", output, "nothing.png")
    assert done.returncode == 2 and "the run has no item 'nothing.png'" in done.stderr
