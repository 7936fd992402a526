#!/usr/bin/env python3
"""A whole run against the pure inference bound of the same machine, in interleaved pairs.

    against_bound.py WORK [--pairs 7] [--ranks 1,3] [--pantile build/release/pantile] [--peer NAME='COMMAND {work} {out}']

WORK has work.json (model, halo, scale, tile, pixels) and images/, as the peers' make_work.py writes them.
The bound: one process per core, one onnxruntime thread each, runs the model on tiles that are in memory already: useful
input pixels a second, halo not counted, the best of three tile sizes. A run of ours counts whole: start, headers, decode,
tiles, shards, fsync, journal, index. ratio = (pixels / bound) / wall. Prints each pair, medians and spread, and one JSON line.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort

CORES = len(os.sched_getaffinity(0))


def infer(task: tuple[str, int, int, float, float]) -> float:
    """Useful pixels a second of one process that starts at `gate` and stops `seconds` later."""
    model, tile, halo, gate, seconds = task
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    side = tile + 2 * halo
    values = np.random.default_rng(0).random((1, session.get_inputs()[0].shape[1], side, side), np.float32)
    session.run(None, {name: values})
    time.sleep(max(0.0, gate - time.time()))
    start, pixels = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        session.run(None, {name: values})
        pixels += tile * tile
    return pixels / (time.perf_counter() - start)


def bound(model: str, halo: int, tile: int, seconds: float) -> float:
    """Useful pixels a second of all cores together."""
    with multiprocessing.get_context("fork").Pool(CORES) as pool:
        return sum(pool.map(infer, [(model, tile, halo, time.time() + 1.0, seconds)] * CORES, chunksize=1))


def wall(command: list[str]) -> float:
    """Seconds of a command; it must end well."""
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return seconds


def job_file(folder: Path, work: Path, facts: dict) -> Path:
    path = folder / "job.yaml"
    path.write_text(
        f"schema: 1\nname: bench\ninput: [{{path: {json.dumps(str(work / 'images'))}}}]\n"
        f"pipeline: [{{id: model, model: {json.dumps(facts['model'])}, output: {{kind: image}}}}]\n"
        f"output: {{dir: {json.dumps(str(folder / 'out'))}}}\n"
    )
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--ranks", default="1,3")
    parser.add_argument("--pantile", default="build/release/pantile")
    parser.add_argument("--peer", action="append", default=[], help="NAME=COMMAND with {work} and {out}")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement of the bound")
    args = parser.parse_args()
    work = args.work.resolve()
    facts = json.loads((work / "work.json").read_text())
    facts["model"] = os.path.normpath(work / facts["model"])
    tile = max((128, 192, 256), key=lambda side: bound(facts["model"], facts["halo"], side, 2.0))
    folder = Path(tempfile.mkdtemp(prefix="pantile-bench-"))
    job, out = job_file(folder, work, facts), folder / "out"
    commands = {f"pantile --ranks {n}": [args.pantile, "run", str(job), "--ranks", n, "--fresh", "--quiet"] for n in args.ranks.split(",")}
    for peer in args.peer:
        name, command = peer.split("=", 1)
        commands[name] = command.format(work=work, out=folder / "peer").split()
    print(f"{facts['images']} images, {facts['pixels'] / 1e6:.2f} MP, {CORES} cores, bound at tile {tile}", flush=True)
    bounds: list[float] = []
    walls: dict[str, list[float]] = {name: [] for name in commands}
    ratios: dict[str, list[float]] = {name: [] for name in commands}
    for pair in range(args.pairs):
        names = list(commands)
        for name in names[pair % len(names) :] + names[: pair % len(names)]:
            # The bound right before each run: a noisy neighbour then slows both.
            rate = bound(facts["model"], facts["halo"], tile, args.seconds)
            for left in [out, folder / "peer", *folder.glob("out.old-*")]:
                shutil.rmtree(left, ignore_errors=True)
            seconds = wall(commands[name])
            bounds.append(rate)
            walls[name].append(seconds)
            ratios[name].append(facts["pixels"] / rate / seconds)
            print(f"pair {pair} {name}: bound {rate / 1e3:.1f} kpx/s, wall {seconds:.2f} s, ratio {ratios[name][-1]:.3f}", flush=True)
    result = {"images": facts["images"], "pixels": facts["pixels"], "cores": CORES, "tile": tile, "pairs": args.pairs,
              "bound_px_per_s": statistics.median(bounds), "load": os.getloadavg()[0]}  # fmt: skip
    for name in commands:
        low, high = min(ratios[name]), max(ratios[name])
        print(f"{name}: wall {statistics.median(walls[name]):.2f} s, ratio of the bound {statistics.median(ratios[name]):.3f} ({low:.3f} to {high:.3f})")
        result[name] = {"wall_s": [round(s, 3) for s in walls[name]], "ratio": [round(r, 4) for r in ratios[name]],
                        "median_ratio": round(statistics.median(ratios[name]), 4)}  # fmt: skip
    print(json.dumps(result))
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
