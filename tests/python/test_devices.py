"""Which device each rank of a node has, and its cap: with made-up GPUs, which compute on the CPU. tests/slurm has the same of a real
allocation."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from runs import BINARY, Job, environment, run, verified

MIB = 1 << 20


def devices(tmp_path: Path, name: str, ranks: int, variables: dict[str, str], *arguments: str) -> dict[str, int]:
    """Name and cap of each, of a run with so many ranks; `digest` is checked against the plain run's."""
    job = Job(tmp_path, include=["small*.*", "colour-01.png"]).write()
    output = tmp_path / name
    done = subprocess.run(
        [BINARY, "run", job, "--output", output, "--ranks", str(ranks), *arguments],
        env={**environment(), **variables}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    plain = tmp_path / "plain"
    if not plain.exists():
        run(job, plain)
    assert verified(output)["digest"] == verified(plain)["digest"]
    live = json.loads((output / "live.json").read_text())
    return {device["name"].split(":")[1]: device["cap_bytes"] for device in live["devices"]}


def test_each_rank_has_a_gpu_while_there_are_some(tmp_path: Path) -> None:
    assert devices(tmp_path, "two", 3, {"PANTILE_FAKE_GPUS": "2"}).keys() == {"gpu0", "gpu1"}
    assert devices(tmp_path, "mixed", 4, {"PANTILE_FAKE_GPUS": "2"}).keys() == {"gpu0", "gpu1", "cpu2"}
    assert devices(tmp_path, "none", 3, {}).keys() == {"cpu0", "cpu1"}


def test_gpus_that_are_not_ours_are_left_alone_and_caps_go_by_name(tmp_path: Path) -> None:
    caps = devices(
        tmp_path, "one", 3, {"PANTILE_FAKE_GPUS": "4", "CUDA_VISIBLE_DEVICES": "3,1"},
        "--set", "devices.memory.per_device={gpu3: 150MiB, gpu0: 100MiB}",
    )  # fmt: skip
    assert caps.keys() == {"gpu3", "gpu1"}
    assert caps["gpu3"] == 150 * MIB
    assert caps["gpu1"] > 150 * MIB
