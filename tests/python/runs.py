"""Real runs of the real program, for the tests that look at Pantile from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

SOURCE = Path(os.environ.get("PANTILE_SOURCE_DIR", Path(__file__).resolve().parents[2]))
BINARY = Path(os.environ.get("PANTILE_BINARY", SOURCE / "build" / "release" / "pantile"))
PAGES = SOURCE / "tests" / "data" / "pages"
BROKEN = SOURCE / "tests" / "data" / "broken"
MODELS = SOURCE / "tests" / "data" / "models"
TEST_DATA = Path(os.environ.get("PANTILE_TEST_DATA", SOURCE.parent / "shared" / "data"))

# Names the ONNX Runtime library to open.
ENGINE_VARIABLE = "PANTILE_ORT_LIB"

UPSCALE = MODELS / "upscale2x.onnx"
SHARPEN = MODELS / "sharpen_y.onnx"
LIGHT = MODELS / "light.onnx"
UNET = MODELS / "unet.onnx"


def needs_test_data() -> None:
    if not (TEST_DATA / "models").is_dir():
        pytest.skip(f"the third-party models and images are not there ({TEST_DATA}; set PANTILE_TEST_DATA)")


@dataclass
class Job:
    """A job file in `folder`; `inputs` are folders, `keys` are further top-level YAML lines."""

    folder: Path
    model: Path = UPSCALE
    inputs: list[Path] = field(default_factory=lambda: [PAGES])
    include: list[str] = field(default_factory=list)
    image: str = "{color: RGB, scale: 1/255}"
    keys: list[str] = field(default_factory=list)

    def write(self) -> Path:
        include = f", include: {json.dumps(self.include)}" if self.include else ""
        lines = ["schema: 1", "name: test", "input:"]
        lines += [f"  - {{path: {json.dumps(str(path))}{include}}}" for path in self.inputs]
        lines += [
            "pipeline:",
            f"  - {{id: stage, model: {json.dumps(str(self.model))}, image: {self.image}, output: {{kind: image}}}}",
            f"output: {{dir: {json.dumps(str(self.folder / 'out'))}, seal_after: 1s}}",
        ]
        path = self.folder / "job.yaml"
        self.folder.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines + self.keys) + "\n")
        return path


def environment() -> dict[str, str]:
    """Ours, without what would make the program think that it is a rank, or in a job of Slurm; root may start mpirun."""
    others = ("OMPI_", "PMIX_", "PANTILE_SUP", "SLURM_", "SRUN_", "SBATCH_")
    clean = {key: value for key, value in os.environ.items() if key == "SLURM_CONF" or not key.startswith(others)}
    return {**clean, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "NO_COLOR": "1"}


def pantile(*arguments: object, timeout: float = 300, launcher: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [*launcher, str(BINARY), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=environment(), check=False)


def run(job: Path, output: Path, *arguments: object, code: int = 0, launcher: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Runs a job into `output` and asserts its exit code."""
    done = pantile("run", job, "--output", output, *arguments, launcher=launcher)
    assert done.returncode == code, f"exit {done.returncode}, not {code}:\n{done.stdout}\n{done.stderr}"
    return done


def resident_bytes(pid: int) -> int:
    """Of a process and its children (executors): what each has for itself, and what they share, libraries above all, once."""
    private, shared = 0, 0
    for process in (pid, *children_of(pid)):
        try:
            lines = [line.split() for line in Path("/proc", str(process), "smaps_rollup").read_text().splitlines()[1:]]
        except OSError:
            continue
        kibibytes = {line[0]: int(line[1]) for line in lines}
        own = kibibytes["Private_Clean:"] + kibibytes["Private_Dirty:"]
        private += own
        shared = max(shared, kibibytes["Rss:"] - own)
    return (private + shared) * 1024


def children_of(pid: int) -> list[int]:
    try:
        return [int(child) for task in Path("/proc", str(pid), "task").iterdir() for child in (task / "children").read_text().split()]
    except OSError:
        return []


def peak_bytes(job: Path, output: Path, *arguments: object) -> int:
    """Runs a job in one process, and returns the peak of its resident memory, its executor's included: the largest of many looks."""
    command = [str(BINARY), "run", str(job), "--output", str(output), "--quiet", *map(str, arguments)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment())
    peak = 0
    while process.poll() is None:
        peak = max(peak, resident_bytes(process.pid))
        time.sleep(0.005)
    said = process.communicate()[1]
    assert process.returncode == 0, said
    return peak


# The kernel counts the memory of whoever started a program to its peak: this one is small.
_SMALL = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:])
_, status, used = os.wait4(process.pid, 0)
print(os.waitstatus_to_exitcode(status), used.ru_maxrss, file=sys.stderr)
"""


@dataclass
class Measured:
    code: int  # negative: a signal
    said: str
    ms: float
    peak_mib: float  # of the largest of its processes


def measured(*arguments: object, timeout: float = 120) -> Measured:
    """Runs pantile as pantile() does, and tells what it took."""
    begin = time.monotonic()
    command = [sys.executable, "-I", "-S", "-c", _SMALL, str(BINARY), *map(str, arguments)]
    done = subprocess.run(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment(), timeout=timeout, check=True)
    said, _, last = done.stderr.decode(errors="replace").rstrip("\n").rpartition("\n")
    code, peak = map(int, last.split())
    return Measured(code, said, 1000 * (time.monotonic() - begin), peak / 1024)


def verified(output: Path, code: int = 0) -> dict:
    """The report of `pantile verify`."""
    done = pantile("verify", output, "--format", "json")
    assert done.returncode == code, f"exit {done.returncode}, not {code}:\n{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout)


def digest(output: Path) -> str:
    return verified(output)["digest"]
