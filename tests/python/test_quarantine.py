"""What is in quarantine: how much of it a run bears, and how it comes out again."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
from runs import BROKEN, PAGES, Job, digest, pantile, run, verified

GOOD = ["small.png", "small-grey.jpg", "page-01.png", "page-03.jpg", "colour-01.png", "palette.png"]


def a_folder(tmp_path: Path) -> Path:
    """Nine images, of which three are broken."""
    folder = tmp_path / "images"
    folder.mkdir()
    for name in GOOD:
        shutil.copy(PAGES / name, folder / name)
    for name in ("page-cut.jpg", "empty.png", "text.png"):
        shutil.copy(BROKEN / name, folder / name)
    return folder


def reasons(output: Path) -> dict[str, str]:
    path = output / "quarantine.csv"
    if not path.exists():
        return {}
    with path.open() as file:
        return {row["path"]: row["reason"] for row in csv.DictReader(file)}


@pytest.mark.parametrize("ranks", ["1", "3"])
@pytest.mark.parametrize("limit", ["2", "30%"])
def test_more_quarantine_than_allowed_stops_the_run_and_keeps_what_is_done(tmp_path: Path, ranks: str, limit: str) -> None:
    folder = a_folder(tmp_path)
    job = Job(tmp_path, inputs=[folder], keys=[f"on_error: {{max_quarantine: {limit}}}"]).write()
    done = run(job, tmp_path / "out", "--ranks", ranks, code=1)
    assert "3 of 9 items are in quarantine, and on_error.max_quarantine allows 2" in done.stderr
    assert "quarantine.csv" in done.stderr
    assert len(reasons(tmp_path / "out")) == 3
    # Nothing has changed: the same command stops again, at once.
    assert "max_quarantine allows 2" in run(job, tmp_path / "out", "--ranks", ranks, code=1).stderr
    # It does not belong to the identity: allowed more, the run goes on to its end.
    run(job, tmp_path / "out", "--ranks", ranks, "--set", "on_error.max_quarantine=3", code=3)
    report = verified(tmp_path / "out")
    assert (report["items"], report["done"], report["quarantined"]) == (9, 6, 3)


def test_a_limit_that_is_not_reached_changes_nothing(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    job = Job(tmp_path, inputs=[folder], keys=["on_error: {max_quarantine: 34%}"]).write()
    run(job, tmp_path / "out", code=3)
    assert verified(tmp_path / "out")["done"] == 6


@pytest.mark.parametrize("ranks", ["1", "3"])
def test_retry_failed_makes_what_can_be_read_by_now(tmp_path: Path, ranks: str) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for name in GOOD:
        shutil.copy(PAGES / name, folder / name)
    job = Job(tmp_path, inputs=[folder]).write()
    run(job, tmp_path / "whole", "--ranks", ranks)
    cut = folder / "page-01.png"
    whole = cut.read_bytes()
    damaged = bytearray(whole)
    damaged[-200] ^= 0xFF  # in the compressed pixels: the header tells nothing
    cut.write_bytes(bytes(damaged))
    run(job, tmp_path / "out", "--ranks", ranks, code=3)
    assert reasons(tmp_path / "out") == {"page-01.png": "corrupt"}
    cut.write_bytes(whole)
    # Without being asked a run does not come back to what it has settled.
    run(job, tmp_path / "out", "--ranks", ranks, code=3)
    again = run(job, tmp_path / "out", "--ranks", ranks, "--retry-failed")
    assert "1 item is out of quarantine" in again.stderr
    assert reasons(tmp_path / "out") == {}
    assert digest(tmp_path / "out") == digest(tmp_path / "whole")


@pytest.mark.parametrize("ranks", ["1", "3"])
def test_retry_failed_takes_files_that_were_put_right_whatever_was_wrong_with_them(tmp_path: Path, ranks: str) -> None:
    """A header that made no sense, a copy that was cut short, a file that was changed: the catalog has to learn of each."""
    good = tmp_path / "good"
    good.mkdir()
    for name in GOOD:
        shutil.copy(PAGES / name, good / name)
    folder = tmp_path / "images"
    shutil.copytree(good, folder)
    (folder / "small.png").write_bytes(b"")
    (folder / "page-03.jpg").write_bytes((good / "page-03.jpg").read_bytes()[:3000])
    shutil.copy(good / "small-grey.jpg", folder / "palette.png")  # another image under that name
    job = Job(tmp_path, inputs=[folder]).write()
    run(job, tmp_path / "out", "--ranks", ranks, code=3)
    assert set(reasons(tmp_path / "out")) == {"small.png", "page-03.jpg"}
    for name in ("small.png", "page-03.jpg"):
        shutil.copy(good / name, folder / name)
    # Not asked to, it stays with what it has settled.
    run(job, tmp_path / "out", "--ranks", ranks, code=3)
    planned = pantile("plan", job, "--output", tmp_path / "out", "--retry-failed", "--format", "json")
    assert json.loads(planned.stdout)["units"] == 2
    again = run(job, tmp_path / "out", "--ranks", ranks, "--retry-failed")
    assert "2 files in quarantine changed since" in again.stderr
    assert verified(tmp_path / "out")["done"] == len(GOOD)
    run(job, tmp_path / "whole", "--ranks", ranks)
    assert digest(tmp_path / "out") == digest(tmp_path / "whole")


def test_retry_failed_of_what_is_still_broken_ends_as_before(tmp_path: Path) -> None:
    folder = a_folder(tmp_path)
    job = Job(tmp_path, inputs=[folder]).write()
    run(job, tmp_path / "out", code=3)
    before = verified(tmp_path / "out")
    run(job, tmp_path / "out", "--retry-failed", code=3)
    assert verified(tmp_path / "out") == before


@pytest.mark.parametrize("policy", ["dynamic", "equal"])
def test_the_policy_changes_nothing_that_comes_out(tmp_path: Path, policy: str) -> None:
    job = Job(tmp_path, include=["small*", "page-0[1-3]*", "colour*", "strip*"]).write()
    run(job, tmp_path / "resolution")
    run(job, tmp_path / policy, "--ranks", "3", "--set", f"schedule.policy={policy}")
    assert digest(tmp_path / policy) == digest(tmp_path / "resolution")
    if policy == "equal":
        listed = json.loads(pantile("inspect", tmp_path / policy, "--format", "json").stdout)["items"]
        # Items of several blocks name no single shard.
        ranks = {item["id"]: item["shard"].split("-")[1] for item in listed if item["shard"]}
        assert ranks == {at: "r0001" if at < len(listed) // 2 else "r0002" for at in ranks}
        assert len(set(ranks.values())) == 2
