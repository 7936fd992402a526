"""A control group with little memory, for runs that share it with a neighbour. Needs root and a kernel that lets us; else the test skips."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

MOUNT = Path("/sys/fs/cgroup")

# Takes so many bytes, says so, and keeps them.
NEIGHBOUR = """
import mmap, sys, time
taken = mmap.mmap(-1, int(sys.argv[1]), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for at in range(0, len(taken), 4096):
    taken[at] = 1
print("taken", flush=True)
time.sleep(600)
"""


class MemoryGroup:
    """`with MemoryGroup(512 << 20) as group: subprocess.run([*group.launcher, …])`."""

    def __init__(self, limit_bytes: int) -> None:
        self.is_first_version = (MOUNT / "memory").is_dir()
        self.folder = (MOUNT / "memory" if self.is_first_version else MOUNT) / f"pantile-test-{os.getpid()}-{time.monotonic_ns()}"
        self.neighbours: list[subprocess.Popen[str]] = []
        try:
            if not self.is_first_version and "memory" not in (MOUNT / "cgroup.subtree_control").read_text():
                (MOUNT / "cgroup.subtree_control").write_text("+memory")
            self.folder.mkdir()
            (self.folder / ("memory.limit_in_bytes" if self.is_first_version else "memory.max")).write_text(str(limit_bytes))
        except OSError as error:
            self.close()
            pytest.skip(f"no control group for memory can be made here: {error}")

    @property
    def launcher(self) -> tuple[str, ...]:
        """Before a command: it and all that it starts are in the group."""
        return ("/bin/sh", "-c", f'echo $$ > "{self.folder}/cgroup.procs" && exec "$@"', "sh")

    def take(self, size_bytes: int) -> subprocess.Popen[str]:
        """A neighbour in the group that has so much memory, until give_back()."""
        process = subprocess.Popen([*self.launcher, sys.executable, "-I", "-S", "-c", NEIGHBOUR, str(size_bytes)], stdout=subprocess.PIPE, text=True)
        self.neighbours.append(process)
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "taken", "the neighbour died: too little memory in the group?"
        return process

    def give_back(self, process: subprocess.Popen[str]) -> None:
        process.kill()
        process.wait()
        self.neighbours.remove(process)

    def used_bytes(self) -> int:
        """Anonymous and shared pages, without those of files."""
        stat = dict(line.split() for line in (self.folder / "memory.stat").read_text().splitlines())
        return int(stat["total_rss"]) + int(stat["total_shmem"]) if self.is_first_version else int(stat["anon"]) + int(stat["shmem"])

    def close(self) -> None:
        for process in list(self.neighbours):
            self.give_back(process)
        deadline = time.monotonic() + 10
        while self.folder.exists():
            try:
                self.folder.rmdir()
            except OSError:  # the kernel lets go of the dead a moment later
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def __enter__(self) -> MemoryGroup:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
