#!/usr/bin/env python3
"""How well `pantile plan` tells the time and the memory of `pantile run`: pairs of both, one right after the other.

    plan_against_run.py JOB [--ranks 1 --ranks 3] [--pairs 5] [--set KEY=VALUE] [--json FILE] [--pantile build/release/pantile]

Wall time of the whole command, from its start to its end; peak is the largest resident set of one of its processes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path


def pair(pantile: str, job: str, ranks: int, sets: list[str]) -> dict:
    options = [word for one in sets for word in ("--set", one)]
    with tempfile.TemporaryDirectory() as folder:
        common = [job, "--ranks", str(ranks), "--output", f"{folder}/out", *options]
        plan = json.loads(subprocess.run([pantile, "plan", *common, "--format", "json"], check=True, capture_output=True, text=True).stdout)
        begin = time.monotonic()
        process = subprocess.Popen([pantile, "run", *common, "--quiet"], stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - begin
        if os.waitstatus_to_exitcode(status) not in (0, 3):
            raise SystemExit(f"the run failed: {status}")
    return {
        "predicted_s": plan["likely_s"],
        "wall_s": wall,
        "ratio": plan["likely_s"] / wall,
        "inside_range": plan["time_s"][0] <= wall <= plan["time_s"][1],
        "predicted_peak_mib": plan["peak_bytes"] / 2**20,
        "peak_mib": usage.ru_maxrss / 2**10,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job")
    parser.add_argument("--ranks", type=int, action="append")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--pantile", default="build/release/pantile")
    args = parser.parse_args()
    results = {}
    for ranks in args.ranks or [1, 3]:
        pairs = [pair(args.pantile, args.job, ranks, args.set) for _ in range(args.pairs)]
        ratios = sorted(one["ratio"] for one in pairs)
        results[f"ranks {ranks}"] = pairs
        print(
            f"--ranks {ranks}: predicted / wall {statistics.median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f}), "
            f"{sum(one['inside_range'] for one in pairs)} of {len(pairs)} inside the range; wall {statistics.median(one['wall_s'] for one in pairs):.2f} s; "
            f"peak {pairs[0]['predicted_peak_mib']:.0f} MiB predicted, {max(one['peak_mib'] for one in pairs):.0f} MiB seen"
        )
    if args.json:
        args.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
