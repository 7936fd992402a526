"""Damaged files of every kind, thousands of them: no rank ends, nothing hangs, memory stays below the cap, and nobody takes a part for the whole."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

import mutants
import numpy as np
import onnx
import pytest
from mutants import Mutant, Seed
from networks import Graph
from onnx import TensorProto, helper
from PIL import Image
from runs import SOURCE, TEST_DATA, Job, Measured, measured, pantile

CAP_MIB = 256
SANITIZED = bool(os.environ.get("PANTILE_SANITIZE"))
QUICK, LONG = 24, 220
BAD_FILE = {"not_an_image", "unsupported", "truncated", "corrupt", "too_large", "unreadable", "does_not_fit", "changed"}

# What each format sees for certain, for a checksum or by the length that it must have: of these kinds no mutant is ever taken for another image.
# A cut is seen by all.
CERTAIN = {
    "PNG": {"cut", "flip"},
    "PNG interlaced": {"cut", "flip"},
    "zip": {"cut", "flip", "lie"},
    "HDF5 stack, deflate and Fletcher-32": {"cut"},
}


@dataclass
class Row:
    """What became of the mutants of one format."""

    format: str
    length: int = 0  # of the good file, bytes
    mutants: int = 0
    refused: int = 0
    equal: int = 0
    other: Counter = field(default_factory=Counter)
    slowest_ms: float = 0
    peak_mib: float = 0

    def told(self) -> dict:
        return {**asdict(self), "other": dict(self.other), "slowest_ms": round(self.slowest_ms), "peak_mib": round(self.peak_mib, 1)}


def identity(path: Path) -> Path:
    """A network that gives every pixel back as it is: what comes out is what was decoded."""
    graph = Graph(seed=1)
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, "H", "W"])
    same = graph.add("Conv", "x", graph.constant(np.eye(3, dtype=np.float32).reshape(3, 3, 1, 1)), kernel_shape=[1, 1])
    output = helper.make_tensor_value_info(same, TensorProto.FLOAT, ["N", 3, "H", "W"])
    proto = helper.make_graph(graph.nodes, "identity", [image], [output], graph.constants)
    onnx.save(helper.make_model(proto, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def run_of(folder: Path, inputs: list[Path]) -> tuple[Measured, dict[str, np.ndarray], dict[str, str]]:
    """Runs the identity over inputs: the pixels of what was accepted, the reasons of what was not."""
    folder.mkdir(parents=True, exist_ok=True)
    keys = [f"devices: {{memory: {{cap: {CAP_MIB}MiB}}}}", "on_error: {hang_after: 10s}"]
    job = Job(folder, model=identity(folder / "identity.onnx"), image="{color: RGB, scale: 1/255, alpha: white}", inputs=inputs, keys=keys).write()
    ran = measured("run", job, "--output", folder / "out", "--quiet")
    if ran.code not in (0, 3):
        return ran, {}, {}
    reasons = {}
    if (folder / "out" / "quarantine.csv").exists():
        with (folder / "out" / "quarantine.csv").open(newline="") as file:
            reasons = {row["path"]: row["reason"] for row in csv.DictReader(file)}
    done = pantile("export", folder / "out", folder / "seen")
    assert done.returncode == 0, done.stderr
    seen = {}
    for path in (folder / "seen").rglob("*.png"):
        with Image.open(path) as image:
            seen[str(path.relative_to(folder / "seen").with_suffix(""))] = np.asarray(image)
    return ran, seen, reasons


def expect_no_harm(ran: Measured, output: Path, reasons: dict[str, str], what: str) -> None:
    assert ran.code in (0, 2, 3), f"{what}: exit {ran.code}\n{ran.said}"
    if what.startswith("HDF5"):
        assert set(reasons.values()) <= BAD_FILE | {"crashed"}, (what, reasons)  # The library has bugs: that is what executors are for.
        return
    assert set(reasons.values()) <= BAD_FILE, (what, {name: reason for name, reason in reasons.items() if reason not in BAD_FILE})
    for log in (output / "logs").glob("rank-*.jsonl"):
        assert '"death"' not in log.read_text(), f"{what}: an executor ended\n{log.read_text()[-2000:]}"
    if not SANITIZED:
        assert ran.peak_mib <= CAP_MIB, f"{what}: {ran.peak_mib} MiB"


def judge(row: Row, mutant: Mutant, seen: np.ndarray, good: np.ndarray, what: str) -> None:
    if seen.shape == good.shape and np.array_equal(seen, good):
        row.equal += 1
        return
    row.other[mutant.kind] += 1
    if row.format == "PPM text" and mutant.data[-1:].isdigit() and mutant.at > row.length - 5:
        return  # Inside the last number: nobody can tell. docs/formats.md says so.
    assert mutant.kind not in {"cut", *CERTAIN.get(row.format, ())}, f"{what}: {mutant.kind} at byte {mutant.at} was taken for an image"


def images_row(folder: Path, seed: Seed, count: int) -> Row:
    """All mutants of one format in one run, beside the good file."""
    row = Row(seed.name, len(seed.data))
    inputs = folder / "in"
    inputs.mkdir(parents=True)
    (inputs / f"good.{seed.ending}").write_bytes(seed.data)
    made = {}
    for number, mutant in enumerate(seed.mutants(count, 1)):
        made[f"{number:04}"] = mutant
        (inputs / f"{number:04}.{seed.ending}").write_bytes(mutant.data)
    ran, seen, reasons = run_of(folder, [inputs])
    expect_no_harm(ran, folder / "out", reasons, seed.name)
    assert "good" in seen, ran.said
    assert len(seen) + len(reasons) == len(made) + 1, "each is done or in quarantine"
    row.mutants, row.refused = len(made), len(reasons)
    row.slowest_ms, row.peak_mib = ran.ms / (len(made) + 1), ran.peak_mib
    for name, mutant in made.items():
        if name in seen:
            judge(row, mutant, seen[name], seen["good"], f"{seed.name} {name}")
    return row


def containers_row(folder: Path, seed: Seed, count: int) -> Row:
    """Archives and stacks one by one: a damaged one is refused as a whole, or some of its items are."""
    row = Row(seed.name, len(seed.data))
    folder.mkdir(parents=True)
    dataset = ":/images" if seed.ending == "h5" else ""
    (folder / f"good.{seed.ending}").write_bytes(seed.data)
    _, good, _ = run_of(folder / "good", [Path(f"{folder}/good.{seed.ending}{dataset}")])
    assert len(good) >= 2
    for number, mutant in enumerate(seed.mutants(count, 1)):
        place = folder / "one"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        (place / f"m.{seed.ending}").write_bytes(mutant.data)
        ran, seen, reasons = run_of(place, [Path(f"{place}/m.{seed.ending}{dataset}")])
        what = f"{seed.name} {number} ({mutant.kind} at {mutant.at})"
        expect_no_harm(ran, place / "out", reasons, what)
        row.mutants += 1
        row.slowest_ms, row.peak_mib = max(row.slowest_ms, ran.ms), max(row.peak_mib, ran.peak_mib)
        if not seen:
            row.refused += 1
            continue
        # Of an archive a name may be another one: by content, an item is one that was packed.
        strange = [pixels for pixels in seen.values() if not any(pixels.shape == one.shape and np.array_equal(pixels, one) for one in good.values())]
        judge(row, mutant, *((strange[0], next(iter(good.values()))) if strange else (next(iter(good.values())),) * 2), what)
    return row


def models_row(folder: Path, count: int) -> Row:
    """Through `pantile model` and `pantile plan`, which opens it: refused in words, or told."""
    row = Row("ONNX model")
    folder.mkdir(parents=True)
    seed = mutants.model(SOURCE / "tests" / "data" / "models" / "sharpen_y.onnx")
    page = SOURCE / "tests" / "data" / "pages" / "small.png"
    for number, mutant in enumerate(seed.mutants(count, 1)):
        path = folder / "m.onnx"
        path.write_bytes(mutant.data)
        job = Job(folder, model=path, image="{color: Y, scale: 1/255}", inputs=[page], keys=[f"devices: {{memory: {{cap: {CAP_MIB}MiB}}}}"]).write()
        told = measured("model", path, "--format", "json")
        planned = measured("plan", job)
        for ran in (told, planned):
            assert ran.code in (0, 1, 2), f"{number} ({mutant.kind} at {mutant.at}): exit {ran.code}\n{ran.said}"
            assert ran.code == 0 or "error: " in ran.said
            assert ran.ms < 10_000
            row.slowest_ms, row.peak_mib = max(row.slowest_ms, ran.ms), max(row.peak_mib, ran.peak_mib)
        row.mutants += 1
        row.refused += planned.code != 0
        row.equal += planned.code == 0
    if not SANITIZED:
        assert row.peak_mib <= CAP_MIB
    return row


def all_rows(folder: Path, images: int, containers: int, models: int) -> list[Row]:
    rows = [images_row(folder / str(at), seed, images) for at, seed in enumerate(mutants.images())]
    for at, seed in enumerate((mutants.tar(), mutants.zip_(), mutants.stack(checked=False), mutants.stack(checked=True))):
        rows.append(containers_row(folder / f"container-{at}", seed, containers))
    rows.append(models_row(folder / "models", models))
    return rows


def cells() -> dict[str, str]:
    """Format → what docs/formats.md says cannot be seen of it."""
    lines = (SOURCE / "docs" / "formats.md").read_text().splitlines()
    table = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ") and line.count(" | ") == 4]
    return {row[0]: row[4] for row in table[1:]}


def expect_documented(rows: list[Row]) -> None:
    """Every kind of mutant that was taken for an image is in the table of what cannot be seen."""
    for row in rows:
        if not row.other:
            continue
        said = max((len(one), text) for name, text in cells().items() for one in name.split(", ") if row.format.startswith(one))[1]
        if row.other["flip"]:
            assert "flipped bit" in said, (row.format, said)
        if row.other["lie"]:
            assert "another" in said, (row.format, said)


def test_some_mutants_of_every_image_format(tmp_path: Path) -> None:
    expect_documented([images_row(tmp_path / str(at), seed, QUICK) for at, seed in enumerate(mutants.images())])


def test_some_mutants_of_archives_stacks_and_models(tmp_path: Path) -> None:
    for at, seed in enumerate((mutants.tar(), mutants.zip_(), mutants.stack(checked=False), mutants.stack(checked=True))):
        expect_documented([containers_row(tmp_path / str(at), seed, 6)])
    models_row(tmp_path / "models", 12)


@pytest.mark.long
def test_thousands_of_mutants(tmp_path: Path) -> None:
    """PANTILE_MUTANTS_OUT names a file for the table; tools/bench/results has one."""
    rows = all_rows(tmp_path, LONG, 150, 300)
    if out := os.environ.get("PANTILE_MUTANTS_OUT"):
        Path(out).write_text(json.dumps([row.told() for row in rows], indent=1) + "\n")
    expect_documented(rows)
    assert sum(row.mutants for row in rows) >= 5000


@pytest.mark.long
def test_mutants_of_other_peoples_files(tmp_path: Path) -> None:
    folder = TEST_DATA / "images" / "formats"
    if not folder.is_dir():
        pytest.skip(f"the third-party images are not there ({folder}; set PANTILE_TEST_DATA)")
    for at, path in enumerate(sorted(folder.iterdir())):
        if path.stat().st_size < 40_000:
            images_row(tmp_path / str(at), Seed(f"{path.suffix[1:].upper()} {path.name}", path.suffix[1:], path.read_bytes()), 40)
