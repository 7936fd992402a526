"""`pantile completion`: the scripts, in the shells themselves."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from runs import BINARY, environment


def script(shell: str) -> str:
    done = subprocess.run([BINARY, "completion", shell], capture_output=True, text=True, check=True, env=environment())
    return done.stdout


def needs(shell: str) -> str:
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"{shell} is not installed")
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with what a person might complete, and `pantile` on the path."""
    for name in ("job.yaml", "old job.yml", "model.onnx", "notes.txt"):
        (tmp_path / name).write_text("")
    (tmp_path / "out run").mkdir()
    (tmp_path / ".bin").mkdir()
    (tmp_path / ".bin" / "pantile").symlink_to(BINARY)
    return tmp_path


def bash_words(line: str) -> list[str]:
    """As readline cuts a line: '=' is a word of its own."""
    words = [word for word in re.split(r"(=)|\s+", line) if word]
    return words + [""] if line.endswith((" ", "=")) and not line.endswith("=") else words


def complete_bash(folder: Path, line: str) -> list[str]:
    (folder / ".pantile.bash").write_text(script("bash"))
    words = bash_words(line)
    call = (
        "source .pantile.bash; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); "
        "$(complete -p pantile | sed 's/.*-F \\([^ ]*\\).*/\\1/'); printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", call, "bash", *words], cwd=folder, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return sorted(filter(None, done.stdout.split("\n")))


def complete_fish(folder: Path, line: str) -> list[str]:
    fish = needs("fish")
    (folder / ".pantile.fish").write_text(script("fish"))
    done = subprocess.run(
        [fish, "--no-config", "-c", f"source .pantile.fish; complete -C '{line}'"],
        cwd=folder, capture_output=True, text=True, check=True, env={**environment(), "HOME": str(folder)},
    )  # fmt: skip
    return sorted({found.split("\t")[0] for found in done.stdout.splitlines()})


def complete_zsh(folder: Path, line: str, expected: list[str]) -> str:
    """What zsh's terminal shows after the line and a tab; it is read until all expected words are there, or 20 s."""
    zsh = needs("zsh")
    (folder / ".pantile.zsh").write_text(script("zsh"))
    (folder / ".zshrc").write_text("PS1='READY>'\nautoload -U compinit\ncompinit -u -D\nsource .pantile.zsh\n")
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.environ.update({"TERM": "dumb", "COLUMNS": "200", "ZDOTDIR": str(folder)})
        os.execv(zsh, [zsh, "-d", "-i"])

    def read_until(words: list[str]) -> str:
        text, end = "", time.monotonic() + 20
        while not all(word in text for word in words) and time.monotonic() < end:
            if select.select([terminal], [], [], 0.2)[0]:
                text += os.read(terminal, 65536).decode(errors="replace")
        return text

    try:
        assert "READY>" in read_until(["READY>"])
        os.write(terminal, (line + "\t").encode())
        return read_until(expected)
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(terminal)


def commands_of_help() -> list[str]:
    text = subprocess.run([BINARY, "--help"], capture_output=True, text=True, check=True).stdout
    found = re.findall(r"^  (?:[A-Z]\w+|) +([a-z]+)  +[A-Z]", text, re.MULTILINE)
    assert len(found) > 8
    return sorted(found)


def options_of_help(command: str) -> list[str]:
    text = subprocess.run([BINARY, command, "--help"], capture_output=True, text=True, check=True).stdout
    return sorted(re.findall(r"^  (--[a-z-]+)", text, re.MULTILINE))


COMPLETERS = {"bash": complete_bash, "fish": complete_fish}
both_shells = pytest.mark.parametrize("shell", COMPLETERS)


@both_shells
def test_every_command_and_option_of_the_help_is_completed(folder: Path, shell: str) -> None:
    complete = COMPLETERS[shell]
    assert complete(folder, "pantile ") == commands_of_help()
    for command in commands_of_help():
        assert complete(folder, f"pantile {command} --") == sorted([*options_of_help(command), "--help"]), command


@both_shells
def test_values_are_those_that_the_command_takes(folder: Path, shell: str) -> None:
    complete = COMPLETERS[shell]
    assert complete(folder, "pantile verify out --format ") == ["csv", "json", "table"]
    assert complete(folder, "pantile verify out --format=j")[0].endswith("json")
    assert complete(folder, "pantile completion ") == ["bash", "fish", "zsh"]
    assert complete(folder, "pantile run --set devices.memory.c") == ["devices.memory.cap="]
    assert complete(folder, "pantile run --ranks ") == []
    assert complete(folder, "pantile ver") == ["verify", "version"]


def test_bash_offers_job_files_folders_and_files_where_they_belong(folder: Path) -> None:
    assert complete_bash(folder, "pantile run --fresh ") == [".bin", "job.yaml", "old job.yml", "out run"]
    assert complete_bash(folder, "pantile run job.yaml --output ") == [".bin", "out run"]
    assert complete_bash(folder, "pantile run job.yaml ") == [], "one job only"
    jobs = ["job.yaml"]
    assert complete_bash(folder, "pantile run --set tiles.size=96 job") == jobs, "the value is no place"
    assert complete_bash(folder, "pantile run --set=tiles.size=96 job") == jobs
    assert complete_bash(folder, "pantile run --set tiles.size=96 --set tiles.halo=8 job") == jobs
    assert complete_bash(folder, "pantile run --output=out job") == jobs
    assert complete_bash(folder, "pantile run --set tiles.size=96 job.yaml ") == [], "one job only"
    assert complete_bash(folder, "pantile run --set=devices.memory.c") == ["devices.memory.cap="]
    assert complete_bash(folder, "pantile export run ") == [".bin", "out run"]
    assert "model.onnx" in complete_bash(folder, "pantile init pages --model ")


def test_fish_offers_job_files_first_and_folders_where_they_belong(folder: Path) -> None:
    assert {"job.yaml", "old job.yml"} <= set(complete_fish(folder, "pantile run --fresh "))
    assert complete_fish(folder, "pantile run job.yaml --output ") == ["out run/"]
    assert "model.onnx" in complete_fish(folder, "pantile init pages --model ")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("pantile ", None),
        ("pantile run --", None),
        ("pantile verify out --format ", ["table", "json", "csv"]),
        ("pantile run old\\ ", ["old\\ job.yml"]),
        ("pantile run j", ["job.yaml"]),
    ],
)
def test_zsh_completes_commands_options_values_and_files(folder: Path, line: str, expected: list[str] | None) -> None:
    if expected is None:
        expected = options_of_help("run") if line.endswith("--") else commands_of_help()
    shown = complete_zsh(folder, line, expected)
    assert all(word in shown for word in expected), shown


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_are_well_formed(folder: Path, shell: str) -> None:
    path = folder / "script"
    path.write_text(script(shell))
    subprocess.run([needs(shell), "-n", str(path)], check=True)
