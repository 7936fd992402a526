"""Disks that are full, over quota, read-only, broken or slow: nothing that is committed is harmed, and a run waits for room."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from runs import BINARY, Job, digest, environment, pantile, run

LIBRARY = Path(os.environ.get("PANTILE_BINARY_DIR", BINARY.parent)) / "tests" / "python" / "libfaulty_disk.so"
PATIENCE_S = 120


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job of many small shards, of less than a second."""
    folder = tmp_path_factory.mktemp("disk")
    path = Job(folder, include=["page-0*"]).write()
    text = path.read_text().replace("seal_after: 1s", "seal_after: 100ms, shard_size: 256KiB")
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A job of few calls, to go through them one by one, and its digest."""
    folder = tmp_path_factory.mktemp("tiny")
    path = Job(folder, include=["small*", "sticker*"]).write()
    path.write_text(path.read_text().replace("seal_after: 1s", "seal_after: 100ms, shard_size: 64KiB"))
    run(path, folder / "right", "--quiet")
    return path, digest(folder / "right")


@pytest.fixture(scope="module")
def right(job: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of an undisturbed run."""
    output = tmp_path_factory.mktemp("right") / "out"
    run(job, output, "--quiet")
    assert not (output / "reserve").exists()
    return digest(output)


class Faults:
    """What the program meets below `output`; see faulty_disk.cpp."""

    def __init__(self, folder: Path, output: Path, number: int = 0, **settings: object) -> None:
        if not LIBRARY.exists() or os.environ.get("PANTILE_SANITIZE"):
            pytest.skip(f"{LIBRARY.name} is not built, or cannot be loaded before a sanitizer")
        self.counter = folder / "counter"
        self.counter.write_bytes(bytes(8))
        self.variables = {"LD_PRELOAD": str(LIBRARY), "FAULT_BELOW": str(output), "FAULT_COUNTER": str(self.counter)}
        self.variables["FAULT_ERRNO"] = str(number)
        self.variables |= {f"FAULT_{key.upper()}": str(value) for key, value in settings.items()}

    def calls(self) -> int:
        return int.from_bytes(self.counter.read_bytes(), "little")


def start(job: Path, output: Path, *arguments: object, faults: Faults | None = None) -> subprocess.Popen[str]:
    command = [str(BINARY), "run", str(job), "--output", str(output), *map(str, arguments)]
    variables = environment() | (faults.variables if faults else {})
    return subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    text, _ = process.communicate(timeout=PATIENCE_S)
    assert "our mistake" not in text
    assert process.returncode in (0, 1, 75), f"exit {process.returncode}:\n{text}"
    return process.returncode, text


def expect_resumable(job: Path, output: Path, right: str) -> None:
    """What is committed is unharmed, and the run can be completed."""
    if (output / "journal").exists() and (output / "catalog.h5").exists() and (output / "journal").stat().st_size > 32:
        report = json.loads(pantile("verify", output, "--format", "json").stdout)
        assert report["bad_shards"] == [], report
    run(job, output, "--quiet")
    assert digest(output) == right
    assert not list((output / "shards").glob("*.partial"))


def survive(job: Path, right: str, folder: Path, call: int, number: int, *, for_good: bool, ranks: int = 1) -> int:
    """One call fails, or all from it on."""
    output = folder / f"call-{call}-{number}-{for_good}"
    folder.mkdir(exist_ok=True)
    faults = Faults(folder, output, number, call=call, for_good=int(for_good))
    wait = "output.wait_for_space=0s" if for_good else "output.wait_for_space=60s"
    code, text = finish(start(job, output, "--ranks", ranks, "--set", wait, faults=faults))
    try:
        expect_resumable(job, output, right)
    except AssertionError as error:
        raise AssertionError(f"call {call}, errno {number}, for good: {for_good}, exit {code}:\n{text}") from error
    shutil.rmtree(output)
    return code


def count_calls(job: Path, folder: Path) -> int:
    faults = Faults(folder, folder / "counted")
    code, text = finish(start(job, folder / "counted", faults=faults))
    assert code == 0, text
    assert faults.calls() > 50
    return faults.calls()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_a_call_that_fails_harms_nothing(tiny: tuple[Path, str], tmp_path: Path, number: int) -> None:
    calls = count_calls(tiny[0], tmp_path)
    dice = random.Random(number)
    codes = [survive(*tiny, tmp_path / "faults", dice.randrange(calls), number, for_good=for_good) for for_good in 3 * [False, True]]
    assert 1 in codes


@pytest.mark.long
@pytest.mark.parametrize("ranks", [1, 3])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_any_call_that_fails_harms_nothing(tiny: tuple[Path, str], tmp_path: Path, ranks: int, number: int) -> None:
    calls = count_calls(tiny[0], tmp_path)
    step = 1 if ranks == 1 else 7
    for for_good in (False, True):
        for call in range(0, calls + 5, step):
            survive(*tiny, tmp_path / "faults", call, number, for_good=for_good, ranks=ranks)


def state_of(output: Path) -> str:
    """What `pantile status` says; nothing before there is a run."""
    done = pantile("status", output, "--format", "json")
    return json.loads(done.stdout)["state"] if done.returncode == 0 else ""


def await_state(process: subprocess.Popen[str], output: Path, state: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while state_of(output) != state:
        assert process.poll() is None, f"it ended before it was {state}:\n{process.communicate()[0]}"
        assert time.monotonic() < deadline, f"it never was {state}"
        time.sleep(0.05)


def interrupt(process: subprocess.Popen[str]) -> float:
    """Seconds until the run has ended after SIGINT."""
    process.send_signal(signal.SIGINT)
    asked = time.monotonic()
    process.wait(timeout=PATIENCE_S)
    return time.monotonic() - asked


@pytest.mark.parametrize(("number", "ranks"), [(errno.EDQUOT, 1), (errno.EROFS, 1), (errno.ENOSPC, 3)])
def test_a_run_waits_and_goes_on_by_itself(job: Path, right: str, tmp_path: Path, number: int, ranks: int) -> None:
    """The figure of free space tells nothing here: only a write that works shows that there is room."""
    output, closed = tmp_path / "out", tmp_path / "closed"
    closed.touch()
    faults = Faults(tmp_path, output / "shards", number, call=3, for_good=1, **{"while": closed})
    process = start(job, output, "--ranks", ranks, faults=faults)
    await_state(process, output, "waiting for space")
    time.sleep(1.5)  # long enough for the first look after the loss
    assert state_of(output) == "waiting for space"
    closed.unlink()
    code, text = finish(process)
    assert code == 0, text
    reason = "is full" if number == errno.ENOSPC else f"takes no more ({os.strerror(number)})"
    assert re.search(rf"the disk of \S+ {re.escape(reason)}: .* free, about .* needed; the run waits. Free some space", text), text
    assert "there is room again" in text
    assert digest(output) == right


def test_a_run_gives_up_waiting_after_a_while(job: Path, right: str, tmp_path: Path) -> None:
    output = tmp_path / "out"
    faults = Faults(tmp_path, output / "shards", errno.ENOSPC, call=3, for_good=1)
    began = time.monotonic()
    code, text = finish(start(job, output, "--set", "output.wait_for_space=2s", faults=faults))
    assert code == 1, text
    assert time.monotonic() - began > 2
    assert "output.wait_for_space is 2s. What is committed is kept." in text
    assert state_of(output) == "failed"
    expect_resumable(job, output, right)


@pytest.mark.parametrize("ranks", [1, 3])
def test_a_stop_is_heard_while_a_run_waits(job: Path, right: str, tmp_path: Path, ranks: int) -> None:
    output = tmp_path / "out"
    faults = Faults(tmp_path, output / "shards", errno.ENOSPC, call=3, for_good=1)
    process = start(job, output, "--ranks", ranks, faults=faults)
    await_state(process, output, "waiting for space")
    assert interrupt(process) < 10  # at once; mpirun and a busy machine take their time
    code, text = finish(process)
    assert code == 75, text
    expect_resumable(job, output, right)


def test_a_rank_with_a_broken_disk_gives_up_and_the_others_go_on(job: Path, right: str, tmp_path: Path) -> None:
    output = tmp_path / "out"
    faults = Faults(tmp_path, output / "shards", errno.EIO, call=1, for_good=1, rank=2)
    code, text = finish(start(job, output, "--ranks", 3, faults=faults))
    assert code == 0, text
    assert "rank 2 gives up" in text
    assert digest(output) == right


def test_a_log_or_live_json_that_cannot_be_written_ends_no_run(job: Path, right: str, tmp_path: Path) -> None:
    for name, number in (("logs", errno.ENOSPC), ("live.json", errno.EIO)):
        output = tmp_path / name / "out"
        output.parent.mkdir()
        faults = Faults(output.parent, output / name, number, call=0, for_good=1)
        code, text = finish(start(job, output, faults=faults))
        assert code == 0, text
        assert faults.calls() > 0
        assert digest(output) == right


@pytest.mark.parametrize("below", ["out/shards", "out"])
def test_a_slow_disk_slows_the_run_down_and_no_more(job: Path, right: str, tmp_path: Path, below: str) -> None:
    output = tmp_path / "out"
    faults = Faults(tmp_path, tmp_path / below, sleep_ms=20)
    code, text = finish(start(job, output, "--ranks", 3, faults=faults))
    assert code == 0, text
    assert "made again" not in text
    assert "gives up" not in text
    assert digest(output) == right


@contextlib.contextmanager
def small_disk(folder: Path, kind: str, size_mib: int) -> Iterator[Path]:
    """A file system of its own."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    place = folder / kind
    place.mkdir()
    if kind == "tmpfs":
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "tmpfs", str(place)]
    else:
        image = folder / "image"
        with image.open("wb") as file:
            file.truncate(size_mib << 20)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(image)], check=True)
        mount = ["mount", "-o", "loop", str(image), str(place)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount {kind} here: {mounted.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path) -> Path:
    """Takes all the space that is left."""
    filler = place / "filler"
    with filler.open("ab", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while file.write(bytes(size)) == size:
                    pass
    return filler


def fill_at_random(job: Path, place: Path, right: str, dice: random.Random) -> str:
    """A run on a disk that somebody else fills up at some moment, and later frees. What happened, in a word."""
    output = place / "out"
    ranks = dice.choice([1, 3])
    waits = dice.random() < 0.6
    process = start(job, output, "--ranks", ranks, "--set", f"output.wait_for_space={'100s' if waits else '0s'}")
    time.sleep(dice.uniform(0, 2.5))
    filler = fill(place)
    deadline = time.monotonic() + dice.uniform(0.5, 3)
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    filler.unlink()
    code, text = finish(process)
    waited = "the run waits" in text
    try:
        if code == 0:
            assert digest(output) == right
        else:
            assert code == 1
            expect_resumable(job, output, right)
    except AssertionError as error:
        raise AssertionError(f"{ranks} ranks, exit {code}:\n{text}") from error
    shutil.rmtree(output)
    return "waited" if waited and code == 0 else "unharmed" if code == 0 else "resumed"


@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
def test_a_disk_that_is_full_for_a_while_loses_nothing(job: Path, right: str, tmp_path: Path, kind: str) -> None:
    with small_disk(tmp_path, kind, 64) as place:
        dice = random.Random(kind)
        print([fill_at_random(job, place, right, dice) for _ in range(2)])


@pytest.mark.long
@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
def test_a_disk_that_is_full_at_any_moment_loses_nothing(job: Path, right: str, tmp_path: Path, kind: str) -> None:
    seed = int(os.environ.get("PANTILE_TEST_SEED", "1"))
    with small_disk(tmp_path, kind, 64) as place:
        dice = random.Random(f"{kind} {seed}")
        seen = [fill_at_random(job, place, right, dice) for _ in range(20)]
    assert {"waited", "resumed"} <= set(seen), seen


def test_what_is_done_is_committed_and_indexed_on_a_full_disk(job: Path, right: str, tmp_path: Path) -> None:
    with small_disk(tmp_path, "tmpfs", 64) as place:
        output = place / "out"
        process = start(job, output, "--set", "output.wait_for_space=2s")
        while process.poll() is None and len(list(output.glob("shards/*.h5"))) < 3:  # the first item has two blocks
            time.sleep(0.002)
        process.send_signal(signal.SIGSTOP)
        filler = fill(place)
        process.send_signal(signal.SIGCONT)
        code, text = finish(process)
        assert code == 1, text
        assert "output.wait_for_space is 2s" in text
        assert os.strerror(errno.ENOSPC) not in text, "its last files had room"
        done = json.loads(pantile("status", output, "--format", "json").stdout)["done"]
        rows = json.loads(pantile("inspect", output, "--format", "json").stdout)["items"]
        assert 0 < done == len([row for row in rows if row["status"] == "done"]) < len(rows)
        filler.unlink()
        expect_resumable(job, output, right)


def start_and_await_shards(job: Path, output: Path, count: int) -> subprocess.Popen[str]:
    """A run without patience that has committed something, has something to write still, and is stopped (SIGSTOP)."""
    process = start(job, output, "--set", "output.wait_for_space=1s")
    while process.poll() is None and len(list(output.glob("shards/*.h5"))) < count:
        time.sleep(0.002)
    process.send_signal(signal.SIGSTOP)
    return process


def test_a_disk_that_turns_read_only_harms_nothing(job: Path, right: str, tmp_path: Path) -> None:
    """As the kernel does it to a disk that has failed: with files open for writing."""
    with small_disk(tmp_path, "ext4", 64) as place:
        subprocess.run(["mount", "-o", "remount,errors=remount-ro", str(place)], check=True)
        process = start_and_await_shards(job, place / "out", 3)
        subprocess.run(["mount", "-o", "remount,abort", str(place)], check=False)
        process.send_signal(signal.SIGCONT)
        code, text = finish(process)
        assert code == 1, text
        assert f"takes no more ({os.strerror(errno.EROFS)})" in text or "journal: Read-only file system" in text, text
        subprocess.run(["umount", str(place)], check=True)
        subprocess.run(["mount", "-o", "loop", str(tmp_path / "image"), str(place)], check=True)
        expect_resumable(job, place / "out", right)


@pytest.mark.parametrize("name", ["shards", "journal"])
def test_files_that_somebody_makes_immutable_harm_nothing(job: Path, right: str, tmp_path: Path, name: str) -> None:
    with small_disk(tmp_path, "ext4", 64) as place:
        process = start_and_await_shards(job, place / "out", 3)
        subprocess.run(["chattr", "+i", str(place / "out" / name)], check=True)
        process.send_signal(signal.SIGCONT)
        code, text = finish(process)
        subprocess.run(["chattr", "-i", str(place / "out" / name)], check=True)
        assert code == 1, text
        assert re.search(rf"error: .*out/{name}.*: {os.strerror(errno.EPERM)}", text), text
        expect_resumable(job, place / "out", right)


def test_a_run_on_a_small_disk_goes_as_far_as_it_can(job: Path, right: str, tmp_path: Path) -> None:
    """Nobody else fills it: it is held back before anything is lost, and goes on when it grows."""
    with small_disk(tmp_path, "tmpfs", 24) as place:
        process = start(job, place / "out")
        await_state(process, place / "out", "waiting for space")
        subprocess.run(["mount", "-o", "remount,size=200m", str(place)], check=True)
        code, text = finish(process)
        assert code == 0, text
        assert "is nearly full" in text
        assert "is full" not in text, "nothing was lost"
        assert digest(place / "out") == right


def test_plan_and_run_say_when_the_results_do_not_fit(job: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path, "tmpfs", 8) as place:
        planned = pantile("plan", job, "--output", place / "out", "--format", "json")
        figures = json.loads(planned.stdout)
        assert figures["disk_free_bytes"] <= 8 << 20 < figures["disk_bytes"]
        assert "the run will wait for space before its end" in planned.stderr
        ran = run(job, place / "out", "--set", "output.wait_for_space=0s", code=1)
        assert "the run will wait for space before its end" in ran.stderr
