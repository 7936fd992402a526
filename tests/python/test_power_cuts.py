"""The power goes: what was not synced is gone. A resume over what the disk still has loses nothing that was told to be done.

The cut is real: a file system of our own is shut down in mid-write without its log being flushed (as xfstests do it), then checked
and mounted again.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import gone_within, kill, launchers_of, ranks_of
from runs import BINARY, PAGES, Job, environment, pantile, run, verified

EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2


class Disk:
    """An ext4 of 400 MB in a file."""

    def __init__(self, folder: Path) -> None:
        self.image = folder / "disk.img"
        self.root = folder / "disk"
        self.root.mkdir()
        with self.image.open("wb") as image:
            image.truncate(400 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", str(self.image)], check=True, capture_output=True)
        self.mount()

    def mount(self) -> None:
        subprocess.run(["mount", "-o", "loop", str(self.image), str(self.root)], check=True, capture_output=True)

    def unmount(self) -> None:
        for _ in range(100):
            if subprocess.run(["umount", str(self.root)], capture_output=True, check=False).returncode == 0:
                return
            time.sleep(0.1)
        subprocess.run(["umount", str(self.root)], check=True)

    def cut(self) -> None:
        folder = os.open(self.root, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(folder)

    def come_back(self) -> None:
        """Without the page cache: what was never written is gone."""
        self.unmount()
        checked = subprocess.run(["e2fsck", "-p", str(self.image)], capture_output=True, text=True, check=False)
        assert checked.returncode in (0, 1), checked.stdout
        self.mount()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
        pytest.skip("cutting the power needs root and mkfs.ext4")
    try:
        made = Disk(tmp_path)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no loop device can be mounted here: {error.stderr!r}")
    yield made
    made.unmount()


def told_done(output: Path) -> int:
    try:
        return int(json.loads((output / "live.json").read_text())["done"])
    except (OSError, ValueError):
        return 0


def survives(tmp_path: Path, disk: Disk, cuts: int, seed: int) -> None:
    dice = random.Random(seed)
    job = Job(tmp_path, inputs=[PAGES] * 3, keys=["tiles: {size: 128}"]).write()
    text = job.read_text().replace("seal_after: 1s", "seal_after: 200ms, shard_size: 4MiB")
    job.write_text(text)
    started = time.monotonic()
    run(job, tmp_path / "undisturbed")
    whole_s = time.monotonic() - started
    expected = verified(tmp_path / "undisturbed")
    done = runs = 0
    while done < cuts:
        output = disk.root / f"run{runs}"
        runs += 1
        complete = False
        while not complete and done < cuts:
            ranks = dice.choice(["1", "1", "3"])
            process = subprocess.Popen(
                [str(BINARY), "run", str(job), "--output", str(output), "--ranks", ranks],
                env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            deadline = time.monotonic() + dice.uniform(0.1, whole_s * (1.2 if ranks == "1" else 1.8))
            while time.monotonic() < deadline and process.poll() is None:
                time.sleep(0.005)
            told = told_done(output)
            complete = process.poll() == 0
            disk.cut()
            done += 1
            kill([process.pid, *launchers_of(output), *ranks_of(output).values()])
            process.wait()
            assert gone_within(output, 20)
            disk.come_back()
            if not (output / "journal").exists():
                assert told == 0 and not complete, f"seed {seed}, cut {done}: the run is gone"
                continue
            after = json.loads(pantile("verify", output, "--format", "json").stdout)
            assert after["done"] >= told, f"seed {seed}, cut {done}: what was told to be done is not there\n{after}"
            damage = [text for text in after["problems"] if "shard" in text]
            assert not damage, f"seed {seed}, cut {done}: {damage}"
            if complete:
                assert after == expected, f"seed {seed}, cut {done}"
        if not complete:
            run(job, output, "--ranks", dice.choice(["1", "2"]))
        assert verified(output) == expected, f"seed {seed}, run {runs}, after {done} cuts"
        shutil.rmtree(output)


def test_ten_power_cuts_lose_nothing(tmp_path: Path, disk: Disk) -> None:
    survives(tmp_path, disk, cuts=10, seed=20261121)


@pytest.mark.long
def test_fifty_power_cuts_lose_nothing(tmp_path: Path, disk: Disk) -> None:
    survives(tmp_path, disk, cuts=50, seed=int(os.environ.get("PANTILE_SEED", "1")))
