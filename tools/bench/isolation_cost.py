#!/usr/bin/env python3
"""What it costs to run the executor in a process of its own, and what it costs to have it killed, in interleaved pairs.

    isolation_cost.py WORK [--pairs 7] [--ranks 1] [--model FILE] [--color Y] [--tile 128] [--kill-every 5]

WORK has work.json (model) and images/, as the peers' make_work.py writes them. Each pair is a run with `devices.isolation: process`
and one with `none`, in turn first; with --kill-every instead a run whose executors are all killed (SIGKILL) every so many seconds, and
one in peace. Prints each pair, the median ratio of their throughput with its spread, and one JSON line. The digests must be equal.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from pathlib import Path


def executors_of(folder: Path) -> list[int]:
    """Pids of the executors whose rank works on this folder."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and (process / "comm").read_text().strip() == "pantile-exec":
                parent = (process / "stat").read_text().rsplit(")", 1)[1].split()[1]
                if str(folder).encode() in Path("/proc", parent, "cmdline").read_bytes():
                    found.append(int(process.name))
        except OSError:
            continue
    return found


class Bench:
    def __init__(self, pantile: str, folder: Path, job: Path, options: list[str]) -> None:
        self.pantile, self.folder, self.job, self.options = pantile, folder, job, options
        self.kills = 0

    def run(self, name: str, more: list[str], kill_every_s: float = 0) -> tuple[float, str]:
        """Seconds of a run, and its digest."""
        out = self.folder / name
        shutil.rmtree(out, ignore_errors=True)
        start = time.perf_counter()
        process = subprocess.Popen([self.pantile, "run", str(self.job), "--output", str(out), "--quiet", *self.options, *more], stderr=subprocess.PIPE, text=True)
        next_kill = start + kill_every_s
        while kill_every_s and process.poll() is None:
            time.sleep(0.02)
            if time.perf_counter() >= next_kill:
                next_kill += kill_every_s
                for pid in executors_of(out):
                    os.kill(pid, signal.SIGKILL)
                    self.kills += 1
        said = process.communicate()[1]
        seconds = time.perf_counter() - start
        if process.returncode != 0:
            raise SystemExit(f"the run ended with {process.returncode}:\n{said[-2000:]}")
        verified = subprocess.run([self.pantile, "verify", str(out), "--format", "json"], capture_output=True, text=True, check=True)
        return seconds, json.loads(verified.stdout)["digest"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--ranks", default="1")
    parser.add_argument("--model", type=Path, help="instead of the work's own")
    parser.add_argument("--color", default="RGB", help="what the model wants: RGB or Y")
    parser.add_argument("--tile", help="tiles.size")
    parser.add_argument("--kill-every", type=float, default=0)
    parser.add_argument("--pantile", default="build/release/pantile")
    args = parser.parse_args()
    work = args.work.resolve()
    facts = json.loads((work / "work.json").read_text())
    model = args.model.resolve() if args.model else os.path.normpath(work / facts["model"])
    folder = Path(tempfile.mkdtemp(prefix="pantile-bench-"))
    job = folder / "job.yaml"
    job.write_text(
        f"schema: 1\nname: bench\ninput: [{{path: {json.dumps(str(work / 'images'))}}}]\n"
        f"pipeline: [{{id: model, model: {json.dumps(str(model))}, image: {{color: {args.color}}}, output: {{kind: image}}}}]\n"
        f"output: {{dir: out}}\n"
    )
    bench = Bench(args.pantile, folder, job, ["--ranks", args.ranks, *(["--set", f"tiles.size={args.tile}"] if args.tile else [])])
    plain, other = ("in peace", "killed") if args.kill_every else ("none", "process")
    ways = {plain: ([] if args.kill_every else ["--set", "devices.isolation=none"], 0.0), other: ([], args.kill_every)}
    bench.run("warm", [])
    walls: dict[str, list[float]] = {plain: [], other: []}
    digests = set()
    for pair in range(args.pairs):
        for name in [plain, other] if pair % 2 == 0 else [other, plain]:
            seconds, digest = bench.run(name.replace(" ", "-"), *ways[name])
            walls[name].append(seconds)
            digests.add(digest)
        print(f"pair {pair}: {plain} {walls[plain][-1]:.2f} s, {other} {walls[other][-1]:.2f} s, throughput {walls[plain][-1] / walls[other][-1]:.3f}", flush=True)
    ratios = [a / b for a, b in zip(walls[plain], walls[other], strict=True)]
    print(f"throughput of `{other}` over `{plain}`: {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}), digests {'equal' if len(digests) == 1 else digests}")
    print(json.dumps({"work": work.name, "images": facts["images"], "ranks": args.ranks, "tile": args.tile, "kill_every_s": args.kill_every, "kills": bench.kills,
                      "wall_s": {name: [round(s, 3) for s in values] for name, values in walls.items()}, "median_ratio": round(statistics.median(ratios), 4),
                      "lowest": round(min(ratios), 4), "highest": round(max(ratios), 4), "digests_equal": len(digests) == 1, "load": os.getloadavg()[0]}))  # fmt: skip
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
