"""`pantile verify` on real runs: rot is found and named, --repair makes it good, --sample and --against compare."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import executors_of
from runs import BINARY, BROKEN, MODELS, PAGES, Job, digest, environment, pantile, run, verified

SMALL = ["small.png", "small-grey.jpg", "sticker.png", "palette.png", "colour-01.png", "turned.jpg"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A job and its finished run: several shards, three items in quarantine."""
    folder = tmp_path_factory.mktemp("finished")
    job = Job(folder, inputs=[PAGES, BROKEN], include=[*SMALL, "*.txt", "text.png", "empty.png", "page-cut.jpg"]).write()
    run(job, folder / "out", "--set", "output.shard_size=1MiB", code=3)
    assert len(list((folder / "out" / "shards").iterdir())) >= 3
    return job, folder / "out"


@pytest.fixture
def copy(finished: tuple[Path, Path], tmp_path: Path) -> Path:
    """A copy of the run, to be damaged."""
    shutil.copytree(finished[1], tmp_path / "run")
    return tmp_path / "run"


def flip(file: Path, at: int, bit: int) -> None:
    with file.open("r+b") as opened:
        opened.seek(at)
        byte = opened.read(1)[0]
        opened.seek(at)
        opened.write(bytes([byte ^ 1 << bit]))


def random_flip(output: Path, dice: random.Random) -> tuple[Path, int, int]:
    """Where a bit may rot: in a shard, the index or the journal half of the time each, as if all had one size; now and then elsewhere."""
    kind = dice.choice(["shard", "shard", "index.h5", "journal", "journal", "catalog.h5", "run.yaml"])
    file = dice.choice(sorted((output / "shards").iterdir())) if kind == "shard" else output / kind
    # Half of them in the first and last bytes, where formats keep what matters most.
    size = file.stat().st_size
    at = dice.choice([dice.randrange(size), dice.randrange(min(size, 2048)), size - 1 - dice.randrange(min(size, 64))])
    return file, at, dice.randrange(8)


def repaired(output: Path, code: int = 0) -> dict:
    done = pantile("verify", output, "--repair", "--format", "json")
    assert done.returncode == code, f"exit {done.returncode}, not {code}:\n{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout)


def survives_rot(finished: Path, output: Path, seed: int, flips: int, repairs: int) -> None:
    """Each of `flips` flipped bits is found and named, and each of the first `repairs` is repaired."""
    print(f"seed {seed}")
    dice = random.Random(seed)
    expected = verified(finished)
    for round_ in range(flips):
        file, at, bit = random_flip(output, dice)
        where = f"seed {seed}, flip {round_}: bit {bit} of byte {at} of {file.name}"
        flip(file, at, bit)
        found = verified(output, code=4)
        assert found["bad_files"] == [str(file.relative_to(output))], where
        assert any(file.name in problem for problem in found["problems"]), where
        if file.parent.name == "shards":
            assert found["bad_shards"] == [file.name], where
            assert re.search(r"its \d+ rows? (is|are) lost: items? \d+ \(\S+", found["problems"][0]), where
        if round_ >= repairs:
            flip(file, at, bit)
            continue
        after = repaired(output)
        assert after["digest"] == expected["digest"], where
        assert after["problems"] == [], where
        again = verified(output)
        assert {key: again[key] for key in ("digest", "done", "quarantined", "problems")} == {
            key: expected[key] for key in ("digest", "done", "quarantined", "problems")
        }, where
        shutil.rmtree(output)
        shutil.copytree(finished, output)
    assert verified(output)["problems"] == [], f"seed {seed}"


def test_two_hundred_flipped_bits_are_found_and_repaired(finished: tuple[Path, Path], copy: Path) -> None:
    survives_rot(finished[1], copy, seed=int(os.environ.get("PANTILE_SEED", "20261121")), flips=200, repairs=12)


@pytest.mark.long
def test_two_hundred_flipped_bits_are_each_repaired(finished: tuple[Path, Path], copy: Path) -> None:
    survives_rot(finished[1], copy, seed=int(os.environ.get("PANTILE_SEED", "7")), flips=200, repairs=200)


def shards(output: Path) -> list[Path]:
    return sorted((output / "shards").iterdir())


def test_a_repair_puts_a_bad_shard_aside_and_makes_only_its_items_again(copy: Path) -> None:
    before = verified(copy)["digest"]
    kept = {path.name: path.stat().st_ino for path in shards(copy)[1:]}
    bad = shards(copy)[0]
    flip(bad, 5000, 3)
    damaged = bad.read_bytes()
    found = repaired(copy)
    assert found["digest"] == before
    assert (copy / "shards.bad-1" / bad.name).read_bytes() == damaged
    assert {path.name: path.stat().st_ino for path in shards(copy) if path.name in kept} == kept
    assert any("made again" in sentence for sentence in found["repaired"])
    assert repaired(copy)["repaired"] == [], "there is nothing left to do"


def test_a_damaged_journal_costs_no_result(copy: Path) -> None:
    before = verified(copy)["digest"]
    kept = {path.name: path.stat().st_ino for path in shards(copy)}
    flip(copy / "journal", 40, 0)  # in its very first record
    assert repaired(copy)["digest"] == before
    assert {path.name: path.stat().st_ino for path in shards(copy)} == kept, "all shards are taken up as they are"
    assert (copy / "journal.torn-1").exists()


def test_a_resume_takes_up_the_shards_that_a_damaged_journal_lost(finished: tuple[Path, Path], copy: Path) -> None:
    before = verified(copy)["digest"]
    kept = {path.name: path.stat().st_ino for path in shards(copy)}
    flip(copy / "journal", 40, 0)
    done = run(finished[0], copy, code=3)
    assert f"{len(kept)} sealed shards without a record are taken up" in done.stderr
    assert {path.name: path.stat().st_ino for path in shards(copy)} == kept
    assert verified(copy)["digest"] == before


def test_a_repair_without_inputs_says_so_and_leaves_the_run_resumable(tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    for name in SMALL:
        shutil.copy(PAGES / name, pages)
    job = Job(tmp_path, inputs=[pages]).write()
    output = tmp_path / "out"
    run(job, output, "--set", "output.shard_size=1MiB")
    before = verified(output)["digest"]
    flip(shards(output)[0], 5000, 3)
    pages.rename(tmp_path / "away")
    done = pantile("verify", output, "--repair")
    assert done.returncode == 4, done.stderr
    assert "could not be made again" in done.stderr and str(pages) in done.stderr
    assert "are neither done nor in quarantine" in done.stdout
    assert verified(output, code=4)["bad_files"] == [], "what is there is in order"
    (tmp_path / "away").rename(pages)
    run(job, output)
    assert verified(output)["digest"] == before


def test_a_repair_survives_kills(copy: Path) -> None:
    before = verified(copy)["digest"]
    flip(shards(copy)[0], 5000, 3)
    flip(shards(copy)[1], 5000, 3)
    flip(copy / "journal", copy.joinpath("journal").stat().st_size // 2, 1)
    flip(copy / "index.h5", 5000, 3)
    dice = random.Random(3)
    for _ in range(12):
        process = subprocess.Popen(
            [str(BINARY), "verify", str(copy), "--repair"], env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )  # fmt: skip
        time.sleep(dice.uniform(0, 0.25))
        process.kill()
        process.wait()
    assert repaired(copy)["digest"] == before
    assert verified(copy)["problems"] == []


# ---- one owner -------------------------------------------------------------------------------------------------------


def test_a_run_has_one_owner(tmp_path: Path) -> None:
    job = Job(tmp_path, keys=["devices: {jobs_per_device: 1}"]).write()
    output = tmp_path / "out"
    process = subprocess.Popen(
        [str(BINARY), "run", str(job), "--output", str(output)], env=environment(), stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not list((output / "shards").glob("*.h5")):
        time.sleep(0.02)
    process.send_signal(signal.SIGSTOP)  # It keeps its folder, and does not end under our hands.
    try:
        command = [str(BINARY), "run", str(job), "--output", str(output)]
        started = time.monotonic()
        second = subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True)
        repair = subprocess.Popen(
            [str(BINARY), "verify", str(output), "--repair"], env=environment(), stderr=subprocess.PIPE, text=True
        )
        found = verified(output)
        assert found["state"] == "running" and found["problems"] == []
        assert found["done"] < found["items"]
        owner = rf"is in use by process {process.pid} on {re.escape(os.uname().nodename)} \(epoch 1\)"
        for other in (second, repair):
            _, said = other.communicate(timeout=60)
            assert other.returncode == 2, said
            assert re.search(owner, said), said
        assert time.monotonic() - started > 9
    finally:
        process.kill()
        process.wait()
    started = time.monotonic()
    done = run(job, output)
    assert f"the run of process {process.pid} (epoch 1) ended without a word; taking over" in done.stderr
    assert time.monotonic() - started < 60
    assert verified(output)["problems"] == []


def test_an_owner_that_was_taken_for_dead_leaves_the_new_one_alone(tmp_path: Path) -> None:
    """Where locks do not reach, a machine that was frozen may wake up to find its folder another one's."""
    output = tmp_path / "out"
    command = [str(BINARY), "run", str(Job(tmp_path, inputs=[PAGES, PAGES]).write()), "--output", str(output)]
    process = subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not list((output / "shards").glob("*.h5")):
        time.sleep(0.02)
    process.send_signal(signal.SIGSTOP)
    theirs = {"lock": "another-machine 77 2\n", "live.json": "theirs", "index.h5": "theirs", "quarantine.csv": "theirs", "reserve": "theirs"}
    with (output / "journal").open("ab") as journal:
        journal.write(b"what another owner wrote")
    for name, text in theirs.items():
        (output / name).write_text(text)
    process.send_signal(signal.SIGCONT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1, said
    assert "is no longer the owner of its folder" in said
    assert {name: (output / name).read_text() for name in theirs} == theirs


# ---- made again, and held against another run ------------------------------------------------------------------------


def with_json(output: Path, *arguments: object, code: int = 0) -> dict:
    done = pantile("verify", output, "--format", "json", *arguments)
    assert done.returncode == code, f"exit {done.returncode}, not {code}:\n{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout)


def test_a_sample_is_made_again_and_equal(finished: tuple[Path, Path]) -> None:
    _, output = finished
    all_items = with_json(output, "--sample", "100%")["sample"]
    assert (all_items["items"], all_items["equal"]) == (6, 6)
    some = with_json(output, "--sample", "2", "--seed", "5")["sample"]
    assert (some["seed"], some["items"], some["equal"]) == (5, 2, 2)
    assert with_json(output, "--sample", "1%")["sample"]["items"] == 1
    for wrong in ("0", "0%", "101%", "many", "-3", "5%%"):
        refused = pantile("verify", output, f"--sample={wrong}")
        assert refused.returncode == 2, wrong
        assert "as 5%, or how many, as 20" in refused.stderr


def sampled(output: Path, treat: Callable[[int], object]) -> dict:
    """The sample of all items, while the first executor is treated so at its work."""
    command = [str(BINARY), "verify", str(output), "--sample", "100%", "--format", "json"]
    process = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (executors := executors_of(output)) and time.monotonic() < deadline:
        time.sleep(0.01)
    while len(list(Path(f"/proc/{executors[0]}/task").iterdir())) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)  # it has a thread for tiles once the model is open
    time.sleep(0.2)
    treat(executors[0])
    told, said = process.communicate(timeout=60)
    assert told, said
    return {**json.loads(told)["sample"], "said": said}


@pytest.fixture(scope="module")
def long_sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run whose sample takes a second or two."""
    folder = tmp_path_factory.mktemp("long")
    keys = ["on_error: {hang_after: 1s}", "tiles: {size: 32}", "devices: {jobs_per_device: 1}"]
    run(Job(folder, keys=keys).write(), folder / "out")
    return folder / "out"


def test_a_kill_from_outside_is_no_failure_of_the_item_that_is_made_again(long_sample: Path) -> None:
    found = sampled(long_sample, lambda pid: os.kill(pid, signal.SIGKILL))
    assert "the executor died (SIGKILL)" in found["said"]
    assert found["equal"] == found["items"] and found["failed"] == [], found


def test_an_executor_that_stands_still_fails_the_item_and_no_more(long_sample: Path) -> None:
    found = sampled(long_sample, lambda pid: os.kill(pid, signal.SIGSTOP))
    assert "nothing moves in the executor for 1 s" in found["said"]
    assert found["equal"] == found["items"] - 1 and len(found["failed"]) == 1, found
    assert "nothing moved for 1 s while the executor worked on this image alone" in found["failed"][0]


def test_a_sample_names_inputs_that_changed(tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    for name in SMALL[:3]:
        shutil.copy(PAGES / name, pages)
    output = tmp_path / "out"
    run(Job(tmp_path, inputs=[pages]).write(), output)
    # The same size and header, another file: the last byte of a PNG is of the checksum of its empty last chunk.
    changed = pages / "sticker.png"
    text = bytearray(changed.read_bytes())
    text[text.index(b"IDAT") - 4 - 1] ^= 1
    changed.write_bytes(bytes(text) + b"")
    found = with_json(output, "--sample", "100%", code=4)["sample"]
    assert found["equal"] == 2 and found["differ"] == [] and len(found["changed"]) == 1
    assert "sticker.png" in found["changed"][0] and "its input is" in found["changed"][0]
    pages.rename(tmp_path / "away")
    refused = pantile("verify", output, "--sample", "100%")
    assert refused.returncode == 2 and str(pages) in refused.stderr
    assert "digest" in refused.stdout, "what was read is told all the same"


def test_a_sample_refuses_another_model(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    shutil.copy(MODELS / "upscale2x.onnx", model)
    run(Job(tmp_path, model=model, include=["small.png"]).write(), tmp_path / "out")
    model.write_bytes(model.read_bytes() + b"\x72\x00")  # metadata_props of nothing: another file, the same network
    refused = pantile("verify", tmp_path / "out", "--sample", "1")
    assert refused.returncode == 2
    assert "is another model than the one that the run was made with" in refused.stderr


def test_runs_are_compared_item_by_item(finished: tuple[Path, Path], tmp_path: Path) -> None:
    job, output = finished
    run(job, tmp_path / "other", "--ranks", "2", "--set", "tiles.size=96", code=3)
    same = with_json(output, "--against", tmp_path / "other")["against"]
    assert (same["equal"], same["differ"], same["neither"]) == (6, 0, 3)

    some = Job(tmp_path / "some", include=SMALL[1:], image="{color: RGB, scale: 1/253}").write()
    run(some, tmp_path / "changed")
    found = with_json(output, "--against", tmp_path / "changed", code=4)["against"]
    assert found["only_here"] == 1 and found["differ"] + found["within_tolerance"] + found["equal"] == 5
    assert found["differ"] >= 4 and 1 <= found["largest"] <= 16
    assert {"path", "output", "pixels", "of_pixels", "largest", "what"} <= found["items"][0].keys()
    assert "scale: 1/253" in found["settings"]
    tolerant = with_json(output, "--against", tmp_path / "changed", "--tolerance", "16", code=4)["against"]
    assert tolerant["differ"] == 0 and tolerant["only_here"] == 1
    text = pantile("verify", output, "--against", tmp_path / "changed").stdout
    assert "only here" in text and "pixels differ, the most by" in text and "of 255" in text


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    for arguments in (["--repair"], [], ["--against", str(tmp_path)]):
        refused = pantile("verify", tmp_path, *arguments)
        assert refused.returncode == 2
        assert "there is no run in" in refused.stderr
    (tmp_path / "file").write_text("x")
    assert "is a file, not a run folder" in pantile("verify", tmp_path / "file").stderr


def test_the_help_of_verify_fits_a_terminal() -> None:
    assert len(pantile("verify", "--help").stdout.splitlines()) <= 24
