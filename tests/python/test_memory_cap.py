"""The memory cap is a wall: 20 runs of the sweep of tools/bench/cap_sweep.py, the same ones each time."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from runs import BINARY, SOURCE, TEST_DATA, environment, needs_test_data

sys.path.insert(0, str(SOURCE / "tools" / "bench"))
import cap_sweep  # noqa: E402  (a module of tools/bench)
from cap_sweep import Cell, Row, Sweep  # noqa: E402

# Caps that are refused, that force small tiles, and that leave room, on images that take about a second.
CELLS = [
    *(Cell("unet", size, cap) for size in ("64px", "1") for cap in (48, 64, 100)),
    Cell("unet", "3", 80), Cell("unet", "3", 150),
    *(Cell("espcn", size, cap) for size, cap in (("64px", 64), ("0.3", 80), ("1", 100), ("1", 300))),
    *(Cell("upconv7", size, cap) for size, cap in (("64px", 80), ("0.1", 64), ("0.1", 100))),
    *(Cell("vgg7", size, cap) for size, cap in (("64px", 64), ("0.3", 80), ("0.3", 150))),
    *(Cell("dncnn25", size, cap) for size, cap in (("64px", 80), ("0.1", 100))),
]  # fmt: skip
# Rank and executor together; sampled, so that a tolerance is needed.
WITH_EXECUTOR = [Cell("unet", "1", 64), Cell("unet", "3", 120)]

pytestmark = pytest.mark.skipif(bool(os.environ.get("PANTILE_SANITIZE")), reason="a sanitizer's shadow memory is resident too")


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Sweep]:
    """By isolation. What a run takes without a cap is measured once for all cells."""
    return {
        isolation: Sweep(BINARY, TEST_DATA, tmp_path_factory.mktemp(isolation), isolation, environment())
        for isolation in ("none", "process")
    }


def held(row: Row) -> bool:
    """Accepted and below the cap; or refused, and accepted and below under the cap that was named. Never another digest."""
    assert row.wrong == [], cap_sweep.line_of(row)
    return row.run.code == 0


def test_the_sample_is_of_twenty_runs_of_all_models() -> None:
    assert len(set(CELLS)) == 20
    assert {cell.model for cell in CELLS} == set(cap_sweep.MODELS)


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell.model}-{cell.size}-{cell.cap_mib}")
def test_the_process_stays_under_its_cap_or_names_one_that_would_do(sweeps: dict[str, Sweep], cell: Cell) -> None:
    if cell.model != "unet":
        needs_test_data()
    held(sweeps["none"].measure(cell))


@pytest.mark.parametrize("cell", WITH_EXECUTOR, ids=lambda cell: f"{cell.model}-{cell.size}-{cell.cap_mib}")
def test_rank_and_executor_together_stay_under_their_cap(sweeps: dict[str, Sweep], cell: Cell) -> None:
    held(sweeps["process"].measure(cell))


def test_a_roomy_cap_is_accepted_and_one_of_a_mebibyte_is_not(sweeps: dict[str, Sweep]) -> None:
    assert held(sweeps["none"].measure(Cell("unet", "64px", 300)))
    assert not held(sweeps["none"].measure(Cell("unet", "64px", 1)))


def test_the_peak_of_whoever_starts_the_run_is_not_counted(tmp_path: Path) -> None:
    """A child of vfork begins with the peak of its parent; the sweep has to get around that, or it would measure pytest."""
    ballast = bytearray(200 << 20)
    ballast[::4096] = b"1" * len(ballast[::4096])
    code, peak_mib, _ = Sweep(BINARY, TEST_DATA, tmp_path).waited_for(["/bin/true"])
    assert code == 0
    assert peak_mib < 20


def test_a_breach_would_be_seen(tmp_path: Path) -> None:
    sweep = Sweep(BINARY, TEST_DATA, tmp_path)
    good = cap_sweep.Run(code=0, peak_mib=100.4, seconds=1, digest="a")
    assert sweep.judge(good, 100, "a") == []
    assert len(sweep.judge(good, 99, "a")) == 1
    assert len(sweep.judge(good, 100, "b")) == 1
