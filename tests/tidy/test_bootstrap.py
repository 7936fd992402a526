"""tools/bootstrap.sh says what is wrong, and does nothing, where apt, rights or the network are missing.

The machine is played by a few programs of our own in front of PATH; the script runs in a copy of the tree's tools.
"""

import os
import pathlib
import shutil
import subprocess

import pytest
from tree import SOURCE


class Machine:
    """A copy of the scripts, and programs that say what the test wants them to."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.tree = folder / "tree"
        self.programs = folder / "programs"
        self.programs.mkdir()
        shutil.copytree(SOURCE / "tools", self.tree / "tools", ignore=shutil.ignore_patterns("sample", "bench", "__pycache__"))

    def program(self, name: str, script: str) -> None:
        (self.programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (self.programs / name).chmod(0o755)

    def bootstrap(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.programs}:{os.environ['PATH']}"
        return subprocess.run(
            [str(self.tree / "tools/bootstrap.sh"), *arguments],
            env={**os.environ, "PATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


@pytest.fixture
def machine(tmp_path: pathlib.Path) -> Machine:
    """A machine with no package installed, whose user is root."""
    if shutil.which("apt-get") is None:
        pytest.skip("this machine has no apt-get")
    made = Machine(tmp_path)
    made.program("dpkg-query", "exit 1")
    made.program("id", "echo 0")
    made.program("apt-get", "echo 'apt-get must not be called by this test'; exit 1")
    return made


def test_prints_one_package_a_line(machine: Machine) -> None:
    printed = machine.bootstrap("--print-packages")
    assert printed.returncode == 0
    packages = printed.stdout.split("\n")[:-1]
    assert "libopenmpi-dev" in packages
    assert all(package and " " not in package for package in packages)
    assert len(set(packages)) == len(packages)


def test_needs_no_clang_to_build(machine: Machine) -> None:
    assert not [package for package in machine.bootstrap("--print-packages").stdout.split() if "clang" in package]
    assert "clang\n" in (machine.tree / "tools/packages-fuzz.txt").read_text()


@pytest.mark.parametrize("arguments", [[], ["tset"], ["build", "demo"], ["build", "--asan"]])
def test_refuses_what_it_does_not_know(machine: Machine, arguments: list[str]) -> None:
    refused = machine.bootstrap(*arguments)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr


def test_hands_the_line_to_an_administrator_when_rights_are_missing(machine: Machine) -> None:
    machine.program("id", "echo 1000")
    machine.program("sudo", "exit 1")
    stopped = machine.bootstrap("build")
    assert stopped.returncode == 1
    assert "An administrator can:" in stopped.stderr
    assert "apt-get install -y --no-install-recommends" in stopped.stderr
    assert "libopenmpi-dev" in stopped.stderr
    assert "[1/" not in stopped.stdout  # before any step


def test_names_the_step_and_the_network_when_apt_gets_nothing(machine: Machine) -> None:
    machine.program("apt-get", "echo 'E: Failed to fetch x: Temporary failure resolving y' >&2; exit 100")
    stopped = machine.bootstrap("build")
    assert stopped.returncode == 1
    assert "[1/5] packages … " in stopped.stdout
    assert "Temporary failure resolving" in stopped.stdout
    assert "Step 1 of 5 (packages) failed." in stopped.stderr
    assert "check the network" in stopped.stderr


def test_names_the_step_and_the_network_when_pip_gets_nothing(machine: Machine) -> None:
    machine.program("python3", "mkdir -p .venv/bin; cp \"$0\" .venv/bin/python; echo 'ERROR: No matching distribution found'; exit 1")
    (machine.tree / ".venv/bin").mkdir(parents=True)
    shutil.copy(machine.programs / "python3", machine.tree / ".venv/bin/python")
    stopped = subprocess.run(
        [str(machine.tree / "tools/bootstrap.sh"), "build", "--no-packages"],
        env={**os.environ, "PYTHON": str(machine.programs / "python3")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert stopped.returncode == 1
    assert "Step 1 of 4 (python environment) failed." in stopped.stderr
    assert "check the network" in stopped.stderr


def test_leaves_the_packages_alone_when_all_are_there(machine: Machine) -> None:
    packages = machine.bootstrap("--print-packages").stdout.split()
    machine.program("dpkg-query", "\n".join(f"echo 'installed {package}'" for package in packages))
    machine.program("python3", "exit 1")
    stopped = subprocess.run(
        [str(machine.tree / "tools/bootstrap.sh"), "build"],
        env={**os.environ, "PATH": f"{machine.programs}:{os.environ['PATH']}", "PYTHON": str(machine.programs / "python3")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "[1/5] packages … nothing missing, " in stopped.stdout
    assert "apt-get must not be called" not in stopped.stdout
