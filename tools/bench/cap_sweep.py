#!/usr/bin/env python3
"""Is the memory cap a wall? Each of some models on one image under each of some caps, and the kernel says what was used.

    cap_sweep.py DATA [--isolation none|process] [--caps 64,100,…] [--sizes 64px,0.1,…] [--models a,b] [--pick N --seed S] [--out FILE]

DATA has models/ (../shared/data). With `--isolation none` a run is one process, and what counts is ru_maxrss of wait4, of which nothing is
subtracted; 0.5 MiB may be missing. With `process` it is the sum of PSS of all processes of the run, looked at every 10 ms; 8 %. A run is
accepted, or refused (exit code 2) with a cap that would do: then that one is tried as well, and has to be accepted and to hold. The digest must be
that of the run without a cap. Prints a line a run and one JSON line. Exit code 1 if any run broke a promise.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

OWN = Path(__file__).resolve().parents[2] / "tests" / "data" / "models"
# File, and what the model wants.
MODELS = {
    "upconv7": ("waifu2x_upconv7_art_x2.onnx", "RGB"),
    "vgg7": ("waifu2x_vgg7_art_noise1.onnx", "RGB"),
    "espcn": ("espcn_y_x3.onnx", "Y"),
    "dncnn25": ("dncnn25_gray.onnx", "Y"),
    "unet": (OWN / "unet.onnx", "RGB"),
}
CAPS_MIB = (64, 80, 100, 150, 300, 800)
SIZES = ("64px", "0.1", "0.3", "1", "3")
LARGE = {"espcn": ("40",), "unet": ("40",)}  # whose work is so little that it takes no hours
ALLOWED_MIB = {"none": lambda cap: cap + 0.5, "process": lambda cap: cap * 1.08}

# A process that is started with vfork and exec begins with the peak of the one that started it: ru_maxrss of a run would be at least ours.
# So a process with next to nothing in it starts the run, waits for it and says what the kernel told.
LAUNCHER = """
import os, sys
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss)
"""


@dataclass(frozen=True)
class Cell:
    """One model, one image, one cap."""

    model: str
    size: str  # "64px": a square; else megapixels, 2 : 3
    cap_mib: int


@dataclass
class Run:
    """What became of one run. `code`: 0 accepted, 2 refused."""

    code: int
    peak_mib: float
    seconds: float
    digest: str = ""
    tile_px: int = 0  # the shorter side of the tile; 0: whole images
    named_mib: int = 0  # the cap that a refusal says would do
    said: str = ""


@dataclass
class Row:
    """A cell's run, and what is wrong with it (empty: nothing)."""

    cell: Cell
    run: Run
    named: Run | None  # the run under the cap that was named
    ratio: float | None  # of its seconds to those without a cap
    wrong: list[str]


def cells_of(models: list[str], sizes: list[str], caps_mib: list[int]) -> list[Cell]:
    """All of them, the large sizes of the models that are quick."""
    return [Cell(model, size, cap) for model in models for size in [*sizes, *(LARGE.get(model, ()) if tuple(sizes) == SIZES else ())] for cap in caps_mib]


def extent_of(size: str) -> tuple[int, int]:
    """Height and width in pixels."""
    if size.endswith("px"):
        side = int(size.removesuffix("px"))
        return side, side
    height = round((float(size) * 1e6 / 1.5) ** 0.5)
    return height, round(height * 1.5)


def draw(path: Path, size: str) -> None:
    """A smooth picture of noise, always the same."""
    import numpy  # not above: what starts runs has to be small
    from PIL import Image

    height, width = extent_of(size)
    small = numpy.random.default_rng(7).integers(0, 256, (height // 16 + 2, width // 16 + 2, 3), dtype=numpy.uint8)
    Image.fromarray(small).resize((width, height), Image.Resampling.BILINEAR).save(path, compress_level=1)


def process_tree(pid: int) -> list[int]:
    """The process and all below it."""
    tree = [pid]
    for parent in tree:
        try:
            tree += [int(child) for task in Path("/proc", str(parent), "task").iterdir() for child in (task / "children").read_text().split()]
        except OSError:
            continue
    return tree


def pss_mib(pid: int) -> float:
    """Of a process and all below it: shared pages count once, in parts."""
    kibibytes = 0
    for process in process_tree(pid):
        try:
            found = re.search(r"^Pss:\s+(\d+)", Path("/proc", str(process), "smaps_rollup").read_text(), re.M)
        except OSError:
            continue
        kibibytes += int(found[1]) if found else 0
    return kibibytes / 1024


class Sweep:
    """Runs cells in a folder of its own."""

    def __init__(self, pantile: Path, data: Path, folder: Path, isolation: str = "none", environment: dict[str, str] | None = None) -> None:
        self.pantile, self.data, self.folder, self.isolation = pantile, data, folder, isolation
        self.environment = {**(environment or os.environ), "NO_COLOR": "1"}
        self.uncapped: dict[tuple[str, str], Run] = {}

    def job(self, model: str, size: str) -> Path:
        images = self.folder / f"images-{size}"
        if not images.exists():
            images.mkdir(parents=True)
            draw(images / "image.png", size)
        file, color = MODELS[model]
        path = self.folder / f"{model}-{size}.yaml"
        path.write_text(
            f"schema: 1\nname: sweep\ninput: [{{path: {json.dumps(str(images))}}}]\n"
            f"pipeline: [{{id: model, model: {json.dumps(str(self.data / 'models' / file))}, image: {{color: {color}}}, output: {{kind: image}}}}]\n"
            f"output: {{dir: out}}\n"
        )
        return path

    def run(self, job: Path, cap_mib: int | None) -> Run:
        out = self.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        command = [str(self.pantile), "run", str(job), "--output", str(out), "--ranks", "1", "--set", f"devices.isolation={self.isolation}"]
        command += ["--set", f"devices.memory.cap={cap_mib}MiB"] if cap_mib else []
        begin = time.perf_counter()
        code, peak, said = (self.watched if self.isolation == "process" else self.waited_for)(command)
        run = Run(code, round(peak, 2), round(time.perf_counter() - begin, 2))
        if code == 0:
            done = subprocess.run([self.pantile, "verify", str(out), "--format", "json"], capture_output=True, text=True, env=self.environment, check=False)
            report = json.loads(done.stdout) if done.stdout else {}
            # A quarantined image is no answer to a small cap: the job is accepted or refused.
            run.digest = report.get("digest", "") if report.get("done") == 1 else f"not done: {done.stdout}{done.stderr}"
            tile = re.search(r"tiles of (\d+)×(\d+) px", said)
            run.tile_px = min(int(tile[1]), int(tile[2])) if tile else 0
        else:
            run.said = said.strip().splitlines()[-1] if said.strip() else ""
            named = re.search(r"(\d+) ?MiB (?:would do|or more)", run.said)
            run.named_mib = int(named[1]) if named else 0
        return run

    def waited_for(self, command: list[str]) -> tuple[int, float, str]:
        done = subprocess.run([sys.executable, "-I", "-S", "-c", LAUNCHER, *command], capture_output=True, text=True, env=self.environment, check=True)
        code, kibibytes = done.stdout.splitlines()[-1].split()
        return int(code), int(kibibytes) / 1024, done.stderr

    def watched(self, command: list[str]) -> tuple[int, float, str]:
        peak = 0.0
        with tempfile.TemporaryFile("w+") as said:
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said, env=self.environment)
            look = time.perf_counter()
            while process.poll() is None:
                peak = max(peak, pss_mib(process.pid))
                look += 0.01
                time.sleep(max(0.001, look - time.perf_counter()))
            said.seek(0)
            return process.returncode, peak, said.read()

    def judge(self, run: Run, cap_mib: int, digest: str) -> list[str]:
        """What is wrong with an accepted run."""
        wrong = []
        if run.peak_mib > ALLOWED_MIB[self.isolation](cap_mib):
            wrong.append(f"{run.peak_mib:.1f} MiB used under a cap of {cap_mib}")
        if run.digest != digest:
            wrong.append(f"another digest under a cap of {cap_mib}: {run.digest[:300]}")
        return wrong

    def measure(self, cell: Cell) -> Row:
        job = self.job(cell.model, cell.size)
        free = self.uncapped.get((cell.model, cell.size))
        if free is None:
            free = self.uncapped[cell.model, cell.size] = self.run(job, None)
            if free.code != 0 or free.digest.startswith("not done"):
                raise SystemExit(f"{cell.model} on {cell.size} fails without a cap: exit code {free.code}: {free.said or free.digest}")
        run = self.run(job, cell.cap_mib)
        if run.code == 0:
            return Row(cell, run, None, run.seconds / free.seconds, self.judge(run, cell.cap_mib, free.digest))
        if run.code != 2:
            return Row(cell, run, None, None, [f"failed: exit code {run.code}: {run.said}"])
        if run.named_mib <= cell.cap_mib:
            return Row(cell, run, None, None, [f"refused, and no larger cap named that would do: {run.said}"])
        named = self.run(job, run.named_mib)
        if named.code != 0:
            return Row(cell, run, named, None, [f"refused under {run.named_mib} MiB too, which it said would do: {named.said}"])
        return Row(cell, run, named, None, self.judge(named, run.named_mib, free.digest))


def line_of(row: Row) -> str:
    cell, run = row.cell, row.run
    if run.code == 0:
        told = f"peak {run.peak_mib:7.1f}  {run.seconds:6.1f} s  {row.ratio:5.2f} x  tile {run.tile_px or 'all':>4}"
    elif run.code == 2:
        told = f"refused, {run.named_mib} would do" + (f": peak {row.named.peak_mib:.1f}" if row.named else "")
    else:
        told = f"failed, exit code {run.code}"
    return f"{cell.model:8} {cell.size:>5}  cap {cell.cap_mib:4}  {told}{'  WRONG: ' + '; '.join(row.wrong) if row.wrong else ''}"


def summary_of(rows: list[Row], isolation: str) -> dict[str, object]:
    """Counts, and the ratio of time over runs that are long enough to tell and whose cap allows tiles of 128 px."""
    accepted = [row for row in rows if row.run.code == 0]
    ratios = [row.ratio for row in accepted if row.ratio and not 0 < row.run.tile_px < 128 and row.run.seconds / row.ratio >= 2]
    return {
        "isolation": isolation,
        "cells": len(rows),
        "accepted": len(accepted),
        "refused": sum(row.run.code == 2 for row in rows),
        "failed": sum(row.run.code not in (0, 2) for row in rows),
        "wrong": sum(bool(row.wrong) for row in rows),
        "closest_to_the_cap_mib": round(min((row.cell.cap_mib - row.run.peak_mib for row in accepted), default=0), 2),
        "named_above_peak_mib": round(max((row.run.named_mib - row.named.peak_mib for row in rows if row.named), default=0), 2),
        "time_ratio": {"runs": len(ratios), "median": round(statistics.median(ratios), 3), "highest": round(max(ratios), 3)} if ratios else None,
        "load": os.getloadavg()[0],
        "table": [{**dataclasses.asdict(row.cell), **dataclasses.asdict(row.run), "ratio": row.ratio and round(row.ratio, 3),
                   "named": row.named and dataclasses.asdict(row.named), "wrong": row.wrong} for row in rows],
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--pantile", type=Path, default=Path("build/release/pantile"))
    parser.add_argument("--isolation", choices=ALLOWED_MIB, default="none")
    parser.add_argument("--caps", default=",".join(map(str, CAPS_MIB)), help="MiB")
    parser.add_argument("--sizes", default=",".join(SIZES), help="megapixels, or px of a square")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--pick", type=int, help="so many of the cells, at random")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="the JSON goes there")
    args = parser.parse_args()
    cells = cells_of(args.models.split(","), args.sizes.split(","), [int(cap) for cap in args.caps.split(",")])
    if args.pick:
        chosen = set(random.Random(args.seed).sample(cells, args.pick))
        cells = [cell for cell in cells if cell in chosen]
    folder = Path(tempfile.mkdtemp(prefix="pantile-caps-"))
    sweep, rows = Sweep(args.pantile.resolve(), args.data.resolve(), folder, args.isolation), []
    for cell in cells:
        rows.append(sweep.measure(cell))
        print(line_of(rows[-1]), flush=True)
    shutil.rmtree(folder)
    summary = summary_of(rows, args.isolation)
    print(", ".join(f"{key} {value}" for key, value in summary.items() if key != "table"))
    text = json.dumps({"command": " ".join([Path(sys.argv[0]).name, *sys.argv[2:]]), **summary})
    if args.out:
        args.out.write_text(text + "\n")
    else:
        print(text)
    return 1 if summary["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
