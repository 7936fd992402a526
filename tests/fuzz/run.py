#!/usr/bin/env python3
"""Runs fuzz targets with libFuzzer, and tells what came of it.

    cmake --preset fuzz && cmake --build --preset fuzz
    tests/fuzz/run.py [--seconds 600] [--at-once 1] [--record tests/fuzz/RUNS.md] [TARGET …]

Without TARGET all of them run. What libFuzzer finds of new paths is kept in build/fuzz/fuzzing/TARGET and used again; an input that
ends a target is left in build/fuzz/findings/, and the exit code is 1. Python's standard library is all that it needs.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import time

TREE = pathlib.Path(__file__).resolve().parents[2]

# One allocation, and all of them: far above what the limits that the targets set allow, far below what a bomb asks for.
MOST_AT_ONCE_MIB = 256
MOST_MIB = 1024
MOST_SECONDS = 10  # for one input


@dataclasses.dataclass
class Run:
    """What became of one target."""

    target: str
    seconds: float
    executions: int
    edges: int
    kept: int
    seeds: int
    peak_mib: int
    findings: list[str]
    commit: str


def figure(pattern: str, text: str) -> int:
    """The last number that libFuzzer gives for something; 0 if it gave none."""
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


def environment() -> dict[str, str]:
    """Leaks, too, are findings; one of a library that is no fault of ours is left out as in the sanitizers' tests."""
    options = {
        "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "LSAN_OPTIONS": f"print_suppressions=0:suppressions={TREE}/tools/sanitizers/lsan.supp",
    }
    shared_memory = pathlib.Path("/dev/shm")
    folder = {"TMPDIR": str(shared_memory)} if shared_memory.is_dir() else {}
    return os.environ | options | folder


def git(*arguments: str) -> str:
    """What git says."""
    return subprocess.run(["git", "-C", str(TREE), *arguments], capture_output=True, text=True, check=False).stdout.strip()


def commit() -> str:
    """What is fuzzed."""
    changes = git("status", "--porcelain", "--untracked-files=no", "src", "tests/fuzz/*.cpp", "tests/fuzz/*.hpp")
    return git("rev-parse", "--short=10", "HEAD") + (" with changes" if changes else "")


def fuzz(build: pathlib.Path, target: str, seconds: int) -> Run:
    """One target for so many seconds, or until it finds something."""
    code = commit()
    facts = json.loads((build / f"tests/fuzz/{target}.json").read_text())
    findings, kept = build / "findings", build / "fuzzing" / target
    findings.mkdir(exist_ok=True)
    kept.mkdir(parents=True, exist_ok=True)
    before = set(findings.glob(f"{target}-*"))
    command = [
        str(build / f"tests/fuzz/{target}_fuzzer"),
        f"-max_total_time={seconds}",
        f"-max_len={facts['longest']}",
        f"-rss_limit_mb={MOST_MIB}",
        f"-malloc_limit_mb={MOST_AT_ONCE_MIB}",
        f"-timeout={MOST_SECONDS}",
        f"-detect_leaks={int(facts['leaks'])}",
        f"-artifact_prefix={findings}/{target}-",
        "-print_final_stats=1",
        *([f"-dict={facts['dictionary']}"] if facts["dictionary"] else []),
        str(kept),
        facts["corpus"],
    ]
    began = time.monotonic()
    log = build / "fuzzing" / f"{target}.log"
    with log.open("w") as output:
        status = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, env=environment(), check=False).returncode
    text = log.read_text(errors="replace")
    found = sorted(path.name for path in set(findings.glob(f"{target}-*")) - before)
    if status != 0 and not found:
        found = [f"exit code {status}, see {log}"]
    return Run(
        target=target,
        seconds=time.monotonic() - began,
        executions=figure(r"stat::number_of_executed_units: (\d+)", text),
        edges=figure(r" cov: (\d+)", text),
        kept=len(list(kept.iterdir())),
        seeds=len(list(pathlib.Path(facts["corpus"]).iterdir())),
        peak_mib=figure(r"stat::peak_rss_mb:\s+(\d+)", text),
        findings=found,
        commit=code,
    )


def processor() -> str:
    """The name of this machine's."""
    found = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return found.group(1) if found else platform.machine()


def rows(runs: list[Run]) -> dict[str, str]:
    """A line of the table for each target."""
    day = time.strftime("%Y-%m-%d")
    lines = {}
    for run in runs:
        cells = [run.target, f"{run.seconds:.0f}", f"{run.executions:,}", f"{run.executions / max(run.seconds, 1):,.0f}", f"{run.edges:,}"]
        cells += [str(run.seeds), str(run.kept), str(run.peak_mib), ", ".join(run.findings) or "none", run.commit, day]
        lines[run.target] = f"| {' | '.join(cells)} |"
    return lines


def page(runs: list[Run], before: str) -> str:
    """RUNS.md: the lines of these runs, and those of other targets that were there before."""
    lines = {found[1]: found[0] for found in re.finditer(r"^\| ([a-z]+) \| \d.*\|$", before, re.MULTILINE)} | rows(runs)
    clang = subprocess.run(["clang++", "--version"], capture_output=True, text=True, check=False).stdout.splitlines()
    return f"""# Fuzz runs

Written by `tests/fuzz/run.py --record`: the last run of each target. An edge is a place in our own code that was reached (libraries are
not instrumented); `kept` are inputs that reached something new, those of earlier runs too, from which libFuzzer goes on.

{processor()}, {os.cpu_count()} cores, beside other work, so that executions a second say little; {clang[0] if clang else "clang"};
AddressSanitizer and UndefinedBehaviorSanitizer. Limits for each input: {MOST_SECONDS} s, {MOST_AT_ONCE_MIB} MiB at once, {MOST_MIB} MiB in all.

| target | seconds | executions | a second | edges | seeds | kept | peak MiB | findings | commit | day |
|---|--:|--:|--:|--:|--:|--:|--:|---|---|---|
{chr(10).join(lines[target] for target in sorted(lines))}
"""


def main() -> int:
    """The exit code: 1 if anything was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--build", type=pathlib.Path, default=TREE / "build/fuzz")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default: 60)")
    parser.add_argument("--at-once", type=int, default=1, help="targets that run side by side (default: 1)")
    parser.add_argument("--record", type=pathlib.Path, help="a file for the table")
    options = parser.parse_args()
    (options.build / "fuzzing").mkdir(exist_ok=True)
    targets = options.targets or sorted(path.stem for path in (options.build / "tests/fuzz").glob("*.json"))
    if not targets:
        parser.error(f"there are no targets in {options.build}: cmake --preset fuzz && cmake --build --preset fuzz")
    runs = []
    with concurrent.futures.ThreadPoolExecutor(options.at_once) as pool:
        for run in pool.map(lambda target: fuzz(options.build, target, options.seconds), targets):
            runs.append(run)
            rate = run.executions / max(run.seconds, 1)
            print(f"{run.target}: {run.executions:,} executions in {run.seconds:.0f} s ({rate:,.0f} a second), {run.edges:,} edges, ", end="")
            print(f"{run.peak_mib} MiB, " + ("no finding" if not run.findings else f"FOUND {', '.join(run.findings)}"), flush=True)
    if options.record:
        before = options.record.read_text() if options.record.exists() else ""
        options.record.write_text(page(runs, before))
    return 1 if any(run.findings for run in runs) else 0


if __name__ == "__main__":
    sys.exit(main())
