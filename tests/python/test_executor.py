"""What ends an executor does not end a run: the images are done by the next one, or named if they are to blame."""

from __future__ import annotations

import csv
import json
import os
import platform
import random
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from processes import executors_of, wait_for_shard
from runs import BINARY, PAGES, UPSCALE, Job, digest, environment, pantile, run, verified

MISBEHAVE = os.environ.get("PANTILE_MISBEHAVE_LIB", "")


def start(job: Path, output: Path, *arguments: object, variables: dict[str, str] | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(BINARY), "run", str(job), "--output", str(output), *map(str, arguments)],
        env={**environment(), **(variables or {})}, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
    )  # fmt: skip


def certificates(output: Path) -> list[dict]:
    """All death certificates of a run."""
    lines = [line for log in sorted((output / "logs").glob("rank-*.jsonl")) for line in log.read_text().splitlines()]
    return [entry for entry in map(json.loads, lines) if "death" in entry]


def digests_by_path(output: Path) -> dict[str, str]:
    done = pantile("inspect", output, "--format", "json")
    assert done.returncode == 0, done.stderr
    return {item["path"]: item["digest"] for item in json.loads(done.stdout)["items"] if item["status"] == "done"}


def quarantine(output: Path) -> dict[str, dict[str, str]]:
    if not (output / "quarantine.csv").exists():
        return {}  # it is written at the end
    with (output / "quarantine.csv").open(newline="") as file:
        return {row["path"]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict:
    folder = tmp_path_factory.mktemp("undisturbed")
    run(Job(folder, inputs=[PAGES, PAGES]).write(), folder / "out", "--set", "devices.isolation=none")
    return verified(folder / "out")


@pytest.mark.parametrize("ranks", [1, 3])
def test_a_process_and_a_thread_make_the_same(tmp_path: Path, undisturbed: dict, ranks: int) -> None:
    job = Job(tmp_path, inputs=[PAGES, PAGES]).write()
    process = start(job, tmp_path / "out", "--ranks", ranks)
    seen: set[int] = set()
    variables = b""
    while process.poll() is None:
        for pid in executors_of(tmp_path / "out"):
            seen.add(pid)
            try:
                variables = Path("/proc", str(pid), "environ").read_bytes() or variables
            except OSError:
                pass
        time.sleep(0.01)
    assert process.wait() == 0
    assert len(seen) == max(1, ranks - 1), "each worker has an executor of its own, and no other"
    assert b"ORT_DISABLE_TELEMETRY=1" in variables.split(b"\0"), "the engine tells nobody"
    assert verified(tmp_path / "out") == undisturbed
    assert not executors_of(tmp_path / "out")


@pytest.mark.parametrize("ranks", [1, 3])
def test_executors_that_are_killed_all_the_time_cost_no_image(tmp_path: Path, undisturbed: dict, ranks: int) -> None:
    job = Job(tmp_path, inputs=[PAGES, PAGES], keys=["tiles: {size: 64}"]).write()
    process = start(job, tmp_path / "out", "--ranks", ranks)
    dice = random.Random(ranks)
    kills = 0
    while process.poll() is None:
        time.sleep(dice.uniform(0.3, 0.7))
        for pid in executors_of(tmp_path / "out"):
            try:
                os.kill(pid, signal.SIGKILL)
                kills += 1
            except ProcessLookupError:
                pass
    said = process.communicate()[1]
    assert process.returncode == 0, said
    assert kills >= 3, "the run was long enough to be disturbed"
    assert verified(tmp_path / "out") == undisturbed
    deaths = certificates(tmp_path / "out")
    assert len(deaths) >= kills - 2, "a kill at the very end is not certified"
    assert {death["death"] for death in deaths} == {"SIGKILL"}
    assert any(death["begun"] for death in deaths), "a certificate says what was being worked on"


def test_an_executor_that_stands_still_is_replaced(tmp_path: Path, undisturbed: dict) -> None:
    job = Job(tmp_path, inputs=[PAGES, PAGES], keys=["on_error: {hang_after: 2s}"]).write()
    process = start(job, tmp_path / "out")
    deadline = time.monotonic() + 60
    while not list((tmp_path / "out").glob("shards/*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(executors_of(tmp_path / "out")[0], signal.SIGSTOP)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 0, said
    assert "nothing moves in the executor for 2 s" in said
    assert verified(tmp_path / "out") == undisturbed


def needs_shim() -> dict[str, str]:
    if os.environ.get("PANTILE_SANITIZE"):
        pytest.skip("a sanitizer's runtime wants to be the first library")
    if not Path(MISBEHAVE).is_file():
        pytest.skip("PANTILE_MISBEHAVE_LIB does not name the library that makes executors misbehave (ctest sets it)")
    return {"LD_PRELOAD": MISBEHAVE}


def pages_and(tmp_path: Path, *bad: str) -> Path:
    """A job over some good pages and copies of one that misbehave when an executor opens them."""
    folder = tmp_path / "in"
    folder.mkdir()
    pages = sorted(PAGES.glob("*.png"))[:5]
    for page in pages:
        shutil.copy(page, folder)
    for name in bad:
        shutil.copy(pages[0], folder / f"bad-{name}.png")
    return Job(tmp_path, inputs=[folder], keys=["on_error: {hang_after: 2s}", "devices: {memory: {cap: 400MiB}}"]).write()


@pytest.mark.parametrize("ranks", [1, 3])
def test_exactly_the_images_that_end_executors_are_in_quarantine(tmp_path: Path, ranks: int) -> None:
    shim = needs_shim()
    job = pages_and(tmp_path, "crash", "abort", "exit", "hang", "eat")
    process = start(job, tmp_path / "out", "--ranks", ranks, variables=shim)
    said = process.communicate(timeout=240)[1]
    assert process.returncode == 3, said
    held = quarantine(tmp_path / "out")
    assert sorted(held) == ["bad-abort.png", "bad-crash.png", "bad-eat.png", "bad-exit.png", "bad-hang.png"]
    assert {(row["reason"], row["attempts"]) for row in held.values()} == {("crashed", "2")}
    assert "SIGSEGV" in held["bad-crash.png"]["detail"]
    assert "SIGABRT" in held["bad-abort.png"]["detail"] and "a decoder's last words" in held["bad-abort.png"]["detail"]
    assert "nothing moved for 2 s" in held["bad-hang.png"]["detail"]
    assert "exit code 7" in held["bad-exit.png"]["detail"]
    eaten = [word for death in certificates(tmp_path / "out") for word in death["words"] if word.startswith("ate ")]
    assert eaten and all(int(word.split()[1]) < 1200 for word in eaten), "the executor's limit held, not the machine's"
    run(job, tmp_path / "clean")  # Without the library all of them are good images.
    good = {path: value for path, value in digests_by_path(tmp_path / "clean").items() if path not in held}
    assert digests_by_path(tmp_path / "out") == good


def test_an_image_that_has_its_executor_killed_each_time_is_found(tmp_path: Path) -> None:
    shim = needs_shim()
    process = start(pages_and(tmp_path, "kill"), tmp_path / "out", variables=shim)
    said = process.communicate(timeout=240)[1]
    assert process.returncode == 3, said
    held = quarantine(tmp_path / "out")
    assert list(held) == ["bad-kill.png"]
    assert held["bad-kill.png"]["reason"] == "killed"
    assert "killed (SIGKILL) each time" in held["bad-kill.png"]["detail"]


def test_a_decoder_that_is_taken_over_can_start_write_and_connect_nothing(tmp_path: Path) -> None:
    shim = needs_shim()
    process = start(pages_and(tmp_path, "exec", "connect", "write"), tmp_path / "out", variables=shim)
    said = process.communicate(timeout=240)[1]
    assert process.returncode == 3, said
    held = quarantine(tmp_path / "out")
    assert sorted(held) == ["bad-connect.png", "bad-exec.png"], "the filter ends them"
    assert all("SIGSYS" in row["detail"] for row in held.values())
    assert "creating a file: Permission denied" in said
    assert not list((tmp_path / "in").glob("*.written"))


def test_a_decoder_that_is_taken_over_is_refused_whatever_else_it_tries(tmp_path: Path) -> None:
    shim = needs_shim()
    process = start(pages_and(tmp_path, "tries"), tmp_path / "out", variables=shim)
    said = process.communicate(timeout=240)[1]
    assert process.returncode == 0, said
    talk = [entry["text"] for log in (tmp_path / "out" / "logs").glob("rank-*.jsonl") for entry in map(json.loads, log.read_text().splitlines()) if "text" in entry]
    tried = dict(line.removeprefix("executor: tried ").split(": ") for line in talk if line.startswith("executor: tried "))
    assert len(tried) == 70, "\n".join(map(str, tried.items()))
    not_offered = {name: tried.pop(name) for name in ["openat2", "io_uring", "clone3"]}
    assert set(not_offered.values()) == {"Function not implemented"}, not_offered
    let_through = {name: result for name, result in tried.items() if result not in ("Permission denied", "Operation not permitted")}
    assert not let_through
    assert (tmp_path / "in" / "bad-tries.png").stat().st_mode & 0o777 != 0o777


def test_what_a_decoder_says_in_its_executors_place_costs_its_image_only(tmp_path: Path) -> None:
    shim = needs_shim()
    process = start(pages_and(tmp_path, "garbage", "flood", "stale", "chatter"), tmp_path / "out", variables=shim)
    most_kib = 0
    while process.poll() is None:
        status = Path("/proc", str(process.pid), "status").read_text()
        most_kib = max([most_kib, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))])
        time.sleep(0.01)
    said = process.communicate()[1]
    assert process.returncode == 3, said
    held = quarantine(tmp_path / "out")
    assert sorted(held) == ["bad-chatter.png", "bad-flood.png", "bad-garbage.png", "bad-stale.png"]
    assert {row["reason"] for row in held.values()} == {"crashed"}
    assert "what its rank does not understand" in held["bad-garbage.png"]["detail"]
    assert "what its rank does not understand" in held["bad-flood.png"]["detail"]
    assert "what it was not asked" in held["bad-stale.png"]["detail"]
    assert "nothing moved for 2 s" in held["bad-chatter.png"]["detail"]
    assert 0 < most_kib < 300 << 10, "the rank reads no more than it understands"
    assert len(digests_by_path(tmp_path / "out")) == 5


def test_a_decoder_that_is_taken_over_makes_no_process_and_no_foreign_call(tmp_path: Path) -> None:
    shim = needs_shim()
    ends = ["fork", "clone", "memfd", *(["x32", "int80"] if platform.machine() == "x86_64" else [])]
    process = start(pages_and(tmp_path, *ends), tmp_path / "out", variables=shim)
    said = process.communicate(timeout=240)[1]
    assert process.returncode == 3, said
    held = quarantine(tmp_path / "out")
    assert sorted(held) == sorted(f"bad-{name}.png" for name in ends), said
    assert all("SIGSYS" in row["detail"] for row in held.values()), held


def test_an_executor_has_no_descriptors_but_its_own(tmp_path: Path) -> None:
    job = Job(tmp_path, inputs=[PAGES, PAGES], keys=["tiles: {size: 64}"]).write()
    (tmp_path / "secret").write_text("secret")
    with (tmp_path / "secret").open() as secret:
        os.set_inheritable(secret.fileno(), True)
        process = subprocess.Popen([str(BINARY), "run", str(job), "--output", str(tmp_path / "out")], env=environment(), stderr=subprocess.DEVNULL, close_fds=False)
        names: set[str] = set()
        while process.poll() is None:
            for pid in executors_of(tmp_path / "out"):
                try:
                    names |= {os.readlink(entry) for entry in Path("/proc", str(pid), "fd").iterdir()}
                except OSError:
                    pass
            time.sleep(0.01)
    assert process.returncode == 0
    assert any("memfd:pantile-arena" in name for name in names)
    assert not [name for name in names if name.startswith(str(tmp_path / "out")) or name == str(tmp_path / "secret")], "neither the journal nor shards"


def test_a_device_whose_executors_all_die_is_given_up_in_words(tmp_path: Path) -> None:
    job = Job(tmp_path).write()
    stop = threading.Event()

    def hunt() -> None:
        while not stop.is_set():
            for pid in executors_of(tmp_path / "out"):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.002)

    hunter = threading.Thread(target=hunt)
    hunter.start()
    try:
        done = pantile("run", job, "--output", tmp_path / "out", timeout=120)
    finally:
        stop.set()
        hunter.join()
    assert done.returncode == 1
    assert "died 3 times in a row" in done.stderr
    run(job, tmp_path / "out")
    run(job, tmp_path / "whole")
    assert digest(tmp_path / "out") == digest(tmp_path / "whole")


def test_a_device_that_dies_at_real_tiles_blames_no_image(tmp_path: Path) -> None:
    shim = needs_shim()
    job = Job(tmp_path).write()
    process = start(job, tmp_path / "out", variables={**shim, "PANTILE_SICK_FROM": "12000000"})
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 1, said
    assert "died 3 times in a row (SIGSEGV) with no image to blame" in said
    assert not quarantine(tmp_path / "out")
    run(job, tmp_path / "out")
    run(job, tmp_path / "whole")
    assert digest(tmp_path / "out") == digest(tmp_path / "whole")


@pytest.mark.parametrize("refused", ["2-2", "2-4"])
def test_an_executor_that_cannot_be_started_is_tried_again(tmp_path: Path, undisturbed: dict, refused: str) -> None:
    shim = needs_shim()
    job = Job(tmp_path, inputs=[PAGES, PAGES]).write()
    process = start(job, tmp_path / "out", variables={**shim, "PANTILE_SPAWNS_FAIL": refused})
    wait_for_shard(tmp_path / "out")
    os.kill(executors_of(tmp_path / "out")[0], signal.SIGKILL)
    said = process.communicate(timeout=120)[1]
    if refused == "2-2":
        assert process.returncode == 0, said
    else:
        assert process.returncode == 1, said
        assert "cannot start the executor" in said and "Resource temporarily unavailable" in said
        run(job, tmp_path / "out")
    assert verified(tmp_path / "out") == undisturbed


def test_a_model_that_goes_away_is_named_and_costs_no_image(tmp_path: Path, undisturbed: dict) -> None:
    model = shutil.copy(UPSCALE, tmp_path / "model.onnx")
    job = Job(tmp_path, inputs=[PAGES, PAGES], model=Path(model)).write()
    process = start(job, tmp_path / "out")
    wait_for_shard(tmp_path / "out")
    os.rename(model, tmp_path / "away.onnx")
    os.kill(executors_of(tmp_path / "out")[0], signal.SIGKILL)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 1, said
    assert "died 3 times in a row" in said and "model.onnx" in said
    assert not quarantine(tmp_path / "out")
    os.rename(tmp_path / "away.onnx", model)
    run(job, tmp_path / "out")
    assert verified(tmp_path / "out")["items"] == undisturbed["items"]


def test_a_stop_does_not_wait_for_a_decoder_that_hangs(tmp_path: Path) -> None:
    shim = needs_shim()
    job = pages_and(tmp_path, "hang")
    process = start(job, tmp_path / "out", "--set", "on_error.hang_after=10min", variables=shim)
    wait_for_shard(tmp_path / "out")
    time.sleep(2)  # it hangs, alone by now
    process.terminate()
    begin = time.monotonic()
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 75, said
    # 3 s for what is begun, 1 s for the executor. Without an end of it the coordinator would give the rank up after 18 s.
    assert time.monotonic() - begin < 15
    run(job, tmp_path / "out", "--set", "on_error.hang_after=10min")
    run(job, tmp_path / "clean", "--set", "on_error.hang_after=10min")
    assert digest(tmp_path / "out") == digest(tmp_path / "clean")


def test_executors_end_with_their_rank(tmp_path: Path) -> None:
    process = start(Job(tmp_path, inputs=[PAGES, PAGES]).write(), tmp_path / "out")
    deadline = time.monotonic() + 60
    while not (executors := executors_of(tmp_path / "out")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 10
    while any(Path("/proc", str(pid)).exists() for pid in executors) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(Path("/proc", str(pid)).exists() for pid in executors)


def test_a_run_does_not_wait_for_an_executor_that_cannot_be_killed(tmp_path: Path) -> None:
    job = Job(tmp_path, include=["small.png"]).write()
    process = start(job, tmp_path / "out", variables={**needs_shim(), "PANTILE_UNKILLABLE": "1"})
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 0, said
    assert "was killed and does not end: it waits for a disk or a device" in said


def test_by_hand_it_says_that_it_is_not_for_people(tmp_path: Path) -> None:
    done = pantile("executor", "1", "2")
    assert done.returncode == 2
    assert "how a rank starts its own executor" in done.stderr
