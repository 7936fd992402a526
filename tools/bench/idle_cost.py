#!/usr/bin/env python3
"""What rank 0 and a waiting worker cost: CPU seconds per second of their processes during a real run.

    idle_cost.py JOB [--ranks 3] [--pantile build/release/pantile]

Runs the job, and samples /proc/PID/stat of all ranks. Rank 0 coordinates all along; a worker counts as waiting while the
run has fewer items left than workers, as in a job of one large image: one worker computes, the others wait.
Prints for each rank its CPU share of one core.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def ranks_of(output: str) -> dict[int, int]:
    """Rank → pid of the ranks that have `output` on their command line."""
    found = {}
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and output.encode() in (process / "cmdline").read_bytes():
                for variable in (process / "environ").read_bytes().split(b"\0"):
                    if variable.startswith(b"OMPI_COMM_WORLD_RANK="):
                        found[int(variable.split(b"=")[1])] = int(process.name)
        except OSError:
            continue
    return found


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job")
    parser.add_argument("--ranks", type=int, default=3)
    parser.add_argument("--pantile", default="build/release/pantile")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        output = f"{folder}/out"
        command = [args.pantile, "run", args.job, "--output", output, "--ranks", str(args.ranks), "--quiet"]
        process = subprocess.Popen(command)
        first: dict[int, tuple[float, float]] = {}
        last: dict[int, tuple[float, float]] = {}
        while process.poll() is None:
            if not Path(output, "live.json").exists() or '"running"' not in Path(output, "live.json").read_text():
                time.sleep(0.05)
                continue
            for rank, pid in ranks_of(output).items():
                try:
                    sample = (time.monotonic(), cpu_seconds(pid))
                except OSError:
                    continue
                first.setdefault(rank, sample)
                last[rank] = sample
            time.sleep(0.2)
        for rank in sorted(last):
            seconds = last[rank][0] - first[rank][0]
            cpu = last[rank][1] - first[rank][1]
            print(f"rank {rank}: {cpu:.2f} CPU s in {seconds:.1f} s, {100 * cpu / max(seconds, 1e-9):.1f} % of a core")


if __name__ == "__main__":
    main()
