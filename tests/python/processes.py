"""The processes of a run, found by its output folder on their command lines: no test ends what it has not started."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def processes_of(output: Path) -> dict[int, dict[str, str]]:
    """Pid → environment of all processes whose command line names this folder, the dead that nobody asked for excepted."""
    found = {}
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            if str(output).encode() not in (process / "cmdline").read_bytes().split(b"\0"):
                continue
            variables = (process / "environ").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        found[int(process.name)] = dict(variable.split("=", 1) for variable in variables if "=" in variable)
    return found


def ranks_of(output: Path) -> dict[int, int]:
    """Rank → pid."""
    return {int(variables["OMPI_COMM_WORLD_RANK"]): pid for pid, variables in processes_of(output).items() if "OMPI_COMM_WORLD_RANK" in variables}


def launchers_of(output: Path) -> list[int]:
    """The mpiruns."""
    found = []
    for pid in processes_of(output):
        try:
            if Path(f"/proc/{pid}/comm").read_text().strip() in ("mpirun", "orterun", "prterun"):  # Open MPI 5: the last
                found.append(pid)
        except OSError:
            continue
    return found


def executors_of(output: Path) -> list[int]:
    """The pids of executors whose rank, or single process, works on this folder."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and (process / "comm").read_text().strip() == "pantile-exec":
                parent = (process / "stat").read_text().rsplit(")", 1)[1].split()[1]
                if str(output).encode() in Path("/proc", parent, "cmdline").read_bytes():
                    found.append(int(process.name))
        except OSError:
            continue
    return found


def kill(pids: list[int], how: signal.Signals = signal.SIGKILL) -> None:
    for pid in pids:
        try:
            os.kill(pid, how)
        except ProcessLookupError:
            pass


def gone_within(output: Path, seconds: float) -> bool:
    """Waits until no process of the run is left."""
    deadline = time.monotonic() + seconds
    while processes_of(output):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def wait_for_shard(output: Path, more_than: int = 0) -> None:
    """Waits until the run has sealed something."""
    deadline = time.monotonic() + 60
    while len(list((output / "shards").glob("*.h5"))) <= more_than:
        assert time.monotonic() < deadline, "the run seals nothing"
        time.sleep(0.02)
