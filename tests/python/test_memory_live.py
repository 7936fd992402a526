"""Caps that move while a run goes on, other programs that take memory, and images larger than any memory."""

from __future__ import annotations

import csv
import json
import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from memory_group import MemoryGroup
from PIL import Image
from pictures import write_interlaced_png, write_png, write_tiled_tiff
from processes import executors_of, kill
from runs import BINARY, LIGHT, UNET, Job, digest, environment, pantile, run


pytestmark = pytest.mark.skipif(bool(os.environ.get("PANTILE_SANITIZE")), reason="a sanitizer's shadow memory is resident too")

MiB = 1 << 20
TOLERANCE = MiB // 2
ALONE = ("--ranks", "1", "--set", "devices.isolation=none")


def noise(path: Path, height: int, width: int, seed: int = 1) -> None:
    small = np.random.default_rng(seed).integers(0, 256, (height // 8 + 2, width // 8 + 2, 3), dtype=np.uint8)
    Image.fromarray(small).resize((width, height), Image.Resampling.BILINEAR).save(path, compress_level=1)


def resident(pid: int, which: str = "VmRSS:") -> int:
    """Bytes; 0 of a process that is gone."""
    try:
        return next(int(line.split()[1]) * 1024 for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(which))
    except (OSError, StopIteration):
        return 0


def start(job: Path, output: Path, *arguments: object, launcher: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    command = [*launcher, str(BINARY), "run", str(job), "--output", str(output), *map(str, arguments)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment())


def live_device(output: Path) -> dict:
    """What live.json tells of the only device; empty before there is one."""
    try:
        return json.loads((output / "live.json").read_text())["devices"][0]
    except (OSError, IndexError, ValueError, KeyError):
        return {}


def wait_for(what, patience_s: float, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + patience_s
    while not what():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, "it has not happened in time"
        time.sleep(0.05)


def quarantine(output: Path) -> dict[str, dict[str, str]]:
    with (output / "quarantine.csv").open(newline="") as file:
        return {Path(row["path"]).name: row for row in csv.DictReader(file)}


def peak_alone(job: Path, output: Path, *arguments: object, code: int = 0) -> int:
    """The kernel's own high-water mark of a run in one process, bytes. A launcher keeps this process's peak out of it."""
    script = 'import os, sys; pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ); _, status, usage = os.wait4(pid, 0); print(usage.ru_maxrss, file=sys.stdout); sys.exit(os.waitstatus_to_exitcode(status))'  # fmt: skip
    command = [sys.executable, "-I", "-S", "-c", script, str(BINARY), "run", str(job), "--output", str(output), "--quiet", *ALONE, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=900, check=False)
    assert done.returncode == code, done.stderr
    return int(done.stdout) * 1024


def moved_caps(tmp_path: Path, moves: int, images: int, seed: int) -> None:
    """Lowers the cap to half and raises it again, and looks at the process all the while."""
    dice = random.Random(seed)
    pages = tmp_path / "pages"
    pages.mkdir()
    for number in range(images):
        noise(pages / f"{number}.png", dice.randrange(600, 2600), dice.randrange(600, 2600), number)
    job = Job(tmp_path, model=UNET, inputs=[pages]).write()
    run(job, tmp_path / "still")
    process = start(job, tmp_path / "out", *ALONE, "--set", "devices.memory.cap=160MiB")
    wait_for(lambda: live_device(tmp_path / "out").get("used_bytes", 0) > 0, 30, process)
    cap, made = 160 * MiB, 0
    worst: list[float] = []
    while made < moves and process.poll() is None:
        next_cap = 80 * MiB if cap == 160 * MiB else 160 * MiB
        asked = pantile("ctl", tmp_path / "out", "set", f"devices.memory.cap={next_cap // MiB}MiB")
        if asked.returncode != 0:
            assert process.poll() is not None or "does not run" in asked.stderr, asked.stderr
            break
        cap, made = next_cap, made + 1
        time.sleep(1)  # The tile that was at work ends; on a busy machine that takes a while.
        until = time.monotonic() + dice.uniform(0.3, 1.5)
        while time.monotonic() < until and process.poll() is None:
            worst.append((resident(process.pid) - cap) / MiB)
            time.sleep(0.01)
    said = process.communicate(timeout=600)[1]
    assert process.returncode == 0, said
    assert made == moves, f"it was over after {made} moves"
    assert max(worst) <= 0.5, f"{max(worst)} MiB above the cap in force\n{said}"
    assert resident(process.pid) == 0
    assert digest(tmp_path / "out") == digest(tmp_path / "still")
    assert not (tmp_path / "out" / "quarantine.csv").exists() or not quarantine(tmp_path / "out")


def test_a_cap_that_moves_holds_from_the_next_tile_on(tmp_path: Path) -> None:
    moved_caps(tmp_path, moves=3, images=16, seed=1)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
def test_a_cap_that_moves_ten_times(tmp_path: Path, seed: int) -> None:
    moved_caps(tmp_path, moves=10, images=60, seed=seed)


def test_a_cap_that_drops_below_what_is_decoded_fails_nothing(tmp_path: Path) -> None:
    """Parts of a large image that were decoded under the larger cap, and slabs of larger tiles, leave room for small ones."""
    write_png(tmp_path / "large.png", 6144)
    job = Job(tmp_path, model=UNET, inputs=[tmp_path / "large.png"]).write()
    output = tmp_path / "out"
    process = start(job, output, "--ranks", "1", "--set", "devices.memory.cap=400MiB")
    wait_for(lambda: live_device(output).get("used_bytes", 0) > 150 * MiB, 30, process)
    lowered = pantile("ctl", output, "set", "devices.memory.cap=100MiB")
    said = process.communicate(timeout=300)[1]
    assert (lowered.returncode, process.returncode) == (0, 0), (lowered.stderr, said)
    assert "failed" not in said, said
    run(job, tmp_path / "still")
    assert digest(output) == digest(tmp_path / "still")


def test_a_cap_that_moves_holds_for_executors_that_take_over(tmp_path: Path) -> None:
    """Images decoded whole under the larger cap, killed executors, and not one failed attempt."""
    pages = tmp_path / "pages"
    pages.mkdir()
    for number in range(12):
        noise(pages / f"{number}.png", 2600, 2600, number)
    job = Job(tmp_path, model=UNET, inputs=[pages]).write()
    run(job, tmp_path / "still")
    output = tmp_path / "out"
    process = start(job, output, "--ranks", "1", "--set", "devices.memory.cap=600MiB")
    wait_for(lambda: live_device(output).get("used_bytes", 0) > 0, 30, process)
    killed = 0
    for cap in (100, 400, 90):
        if process.poll() is None and pantile("ctl", output, "set", f"devices.memory.cap={cap}MiB").returncode == 0:
            time.sleep(0.3)
            executors = executors_of(output)
            kill(executors)
            killed += len(executors)
            time.sleep(0.7)
    said = process.communicate(timeout=300)[1]
    assert process.returncode == 0, said
    assert killed >= 1, "it was over before"
    assert "failed" not in said and "quarantine" not in said, said
    assert digest(output) == digest(tmp_path / "still")


def test_a_cap_that_cannot_be_is_refused_in_words_and_nothing_changes(tmp_path: Path) -> None:
    for number in range(12):
        noise(tmp_path / f"{number}.png", 2500, 2500, number)
    job = Job(tmp_path, model=UNET, inputs=[tmp_path], include=["*.png"]).write()
    output = tmp_path / "out"
    process = start(job, output, "--ranks", "3", "--set", "devices.memory.cap=400MiB")
    wait_for(lambda: live_device(output).get("used_bytes", 0) > 0, 30, process)
    for setting, code, words in (
        ("devices.memory.cap=20MiB", 1, "MiB would do"),
        ("devices.memory.cap=lots", 1, "a size from 1MiB, or up to 100%"),
        ("devices.memory.colour=red", 1, "unknown key"),
        ("tiles.size=64", 2, "only devices.memory.cap, leave, host and per_device can change"),
        ("devices.memory.cap", 2, "KEY=VALUE"),
    ):
        done = pantile("ctl", output, "set", setting)
        assert (done.returncode, words in done.stderr) == (code, True), (setting, done)
    assert live_device(output)["cap_bytes"] == 200 * MiB  # two workers share it
    done = pantile("ctl", output, "set", "devices.memory.per_device.cpu1=300MiB")
    assert done.returncode == 0, done.stderr
    devices = lambda: {one["name"].split(":")[1]: one["cap_bytes"] for one in json.loads((output / "live.json").read_text())["devices"]}  # noqa: E731
    wait_for(lambda: devices() == {"cpu0": 200 * MiB, "cpu1": 300 * MiB}, 10, process)
    pantile("ctl", output, "stop")
    said = process.communicate(timeout=60)[1]
    assert process.returncode in (0, 75), said


def test_the_run_yields_to_a_neighbour_and_grows_back(tmp_path: Path) -> None:
    with MemoryGroup(700 * MiB) as group:
        for number in range(40):
            noise(tmp_path / f"{number}.png", 1900, 1900, number)
        job = Job(tmp_path, model=UNET, inputs=[tmp_path], include=["*.png"]).write()
        output = tmp_path / "out"
        process = start(job, output, "--ranks", "1", "--set", "devices.memory.cap=100%", launcher=group.launcher)
        wait_for(lambda: live_device(output).get("used_bytes", 0) > 0, 30, process)
        whole = live_device(output)["cap_bytes"]
        neighbour = group.take(450 * MiB)
        wait_for(lambda: live_device(output)["cap_bytes"] <= 250 * MiB, 10, process)
        assert live_device(output)["others_bytes"] > 400 * MiB
        group.give_back(neighbour)
        wait_for(lambda: live_device(output)["cap_bytes"] >= 0.9 * whole, 40, process)
        # That was to be shown. The rest need not be made.
        pantile("ctl", output, "stop")
        said = process.communicate(timeout=60)[1]
        assert process.returncode in (0, 75), said
        assert "less, since memory is short" in said and "more, since memory is free" in said, said
        assert not (output / "quarantine.csv").exists() or not quarantine(output)
        assert "gave" not in said and "died" not in said, said


@pytest.mark.parametrize("kind", ["png", "tif"])
def test_64_megapixels_go_through_64_mebibytes(tmp_path: Path, kind: str) -> None:
    side = 8192
    path = tmp_path / f"large.{kind}"
    write_png(path, side) if kind == "png" else write_tiled_tiff(path, side)
    job = Job(tmp_path, model=LIGHT, inputs=[path]).write()
    assert peak_alone(job, tmp_path / "out", "--set", "devices.memory.cap=64MiB") <= 64 * MiB + TOLERANCE
    run(job, tmp_path / "roomy")
    assert digest(tmp_path / "out") == digest(tmp_path / "roomy")


@pytest.mark.long
def test_a_gigapixel_goes_through_512_mebibytes(tmp_path: Path) -> None:
    """Written by region, and as a PNG that has no regions: the same digest, within six minutes each."""
    side = 32768
    digests = []
    for kind, write in (("tif", write_tiled_tiff), ("png", write_png)):
        path = tmp_path / f"giga.{kind}"
        write(path, side)
        job = Job(tmp_path / kind, model=LIGHT, inputs=[path]).write()
        begin = time.monotonic()
        peak = peak_alone(job, tmp_path / kind / "out", "--set", "devices.memory.cap=512MiB")
        print(f"{kind}: {time.monotonic() - begin:.0f} s, peak {peak / MiB:.0f} MiB")
        assert time.monotonic() - begin < 360
        assert peak <= 512 * MiB + TOLERANCE
        digests.append(digest(tmp_path / kind / "out"))
        path.unlink()
    assert digests[0] == digests[1]


def test_what_has_no_parts_and_does_not_fit_is_told_with_the_memory_it_needs(tmp_path: Path) -> None:
    side = (5000, 8000)
    pixels = np.add.outer(np.arange(side[0]) // 5, np.arange(side[1]) // 7).astype(np.uint8)
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    write_interlaced_png(inputs / "interlaced.png", pixels)
    image = Image.fromarray(pixels).convert("RGB")
    image.save(inputs / "progressive.jpg", progressive=True)
    turned = Image.Exif()
    turned[0x0112] = 6
    image.save(inputs / "turned.jpg", exif=turned)
    image.save(inputs / "baseline.jpg")
    job = Job(tmp_path, model=LIGHT, inputs=[inputs]).write()
    run(job, tmp_path / "roomy")
    run(job, tmp_path / "out", "--set", "devices.memory.cap=90MiB", "--ranks", 1, code=3)
    held = quarantine(tmp_path / "out")
    assert set(held) == {"interlaced.png", "progressive.jpg", "turned.jpg"}
    for name, why in (("interlaced.png", "interlaced"), ("progressive.jpg", "progressive"), ("turned.jpg", "turned")):
        assert held[name]["reason"] == "does_not_fit", held[name]
        assert f"not in parts: {why}" in held[name]["detail"], held[name]
        assert "they need " in held[name]["detail"] and "MiB at once" in held[name]["detail"], held[name]


def mixed(tmp_path: Path, count: int) -> None:
    """Images of all sizes under a cap that forces tiles: none fails."""
    dice = random.Random(3)
    pages = tmp_path / "pages"
    pages.mkdir()
    for number in range(count):
        longest = dice.choice([90, 300, 800, 1800])
        height, width = dice.randrange(8, longest), dice.randrange(8, longest)
        small = np.random.default_rng(number).integers(0, 256, (height // 8 + 2, width // 8 + 2, 3), dtype=np.uint8)
        image = Image.fromarray(small).resize((width, height), Image.Resampling.BILINEAR)
        image.save(pages / f"{number:04}.{dice.choice(['png', 'jpg'])}")
    job = Job(tmp_path, model=UNET, inputs=[pages]).write()
    run(job, tmp_path / "out", "--set", "devices.memory.cap=64MiB", *ALONE)
    status = json.loads(pantile("status", tmp_path / "out", "--format", "json").stdout)
    assert (status["items"], status["done"], status["quarantined"]) == (count, count, 0)
    run(job, tmp_path / "roomy")
    assert digest(tmp_path / "out") == digest(tmp_path / "roomy")


def test_no_unit_fails_of_many_mixed_images(tmp_path: Path) -> None:
    mixed(tmp_path, 150)


@pytest.mark.long
def test_no_unit_fails_of_two_thousand_mixed_images(tmp_path: Path) -> None:
    mixed(tmp_path, 2000)


def test_plan_refuses_a_cap_below_the_smallest_tile_with_the_one_that_would_do(tmp_path: Path) -> None:
    noise(tmp_path / "page.png", 900, 900)
    job = Job(tmp_path, model=UNET, inputs=[tmp_path / "page.png"]).write()
    for cap in range(46, 20, -2):  # where the edge is depends on the libraries of the machine
        refused = pantile("plan", job, "--set", f"devices.memory.cap={cap}MiB", "--set", "devices.isolation=none", "--ranks", "1")
        if refused.returncode != 0:
            break
    assert refused.returncode == 2, refused
    named = re.search(r"([0-9]+)MiB would do", refused.stderr)
    assert named, refused.stderr
    enough = int(named.group(1))
    assert cap < enough <= cap + 6
    assert peak_alone(job, tmp_path / "out", "--set", f"devices.memory.cap={enough}MiB") <= enough * MiB + TOLERANCE
