"""`pantile top`: the display of a run that goes on elsewhere."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path

from runs import BINARY, PAGES, UNET, Job, environment, pantile, run


def many_pages(tmp_path: Path) -> Path:
    return Job(tmp_path, model=UNET, inputs=[PAGES] * 4, keys=["tiles: {size: 64}"]).write()


def start(job: Path, output: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([str(BINARY), "run", str(job), "--output", str(output), "--quiet", "--set", "devices.memory.cap=300MiB"], env=environment())
    deadline = time.monotonic() + 60
    while '"used_bytes"' not in (text := (output / "live.json").read_text() if (output / "live.json").exists() else ""):
        assert process.poll() is None and time.monotonic() < deadline, text
        time.sleep(0.02)
    return process


class Top:
    """`pantile top` on a terminal of 80 columns and 24 rows."""

    def __init__(self, output: Path) -> None:
        self.text = ""
        pid, self.terminal = pty.fork()
        if pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
            os.environ.update(TERM="xterm", LC_ALL="C.UTF-8")
            os.execv(str(BINARY), [str(BINARY), "top", str(output)])
        self.pid = pid

    def read_until(self, words: str, patience_s: float = 60) -> None:
        deadline = time.monotonic() + patience_s
        while words not in self.text:
            assert time.monotonic() < deadline, self.text
            try:
                self.text += os.read(self.terminal, 4096).decode()
            except OSError:  # the other end is closed
                assert words in self.text, self.text

    def code(self) -> int:
        """Of its end, with all that it has said until then."""
        while True:
            try:
                part = os.read(self.terminal, 4096).decode()
            except OSError:
                break
            if not part:
                break
            self.text += part
        os.close(self.terminal)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_it_draws_until_ctrl_c_and_the_run_goes_on(tmp_path: Path) -> None:
    output = tmp_path / "out"
    process = start(many_pages(tmp_path), output)
    plain = pantile("top", output)
    assert plain.returncode == 0 and "\x1b" not in plain.stdout and "Ctrl-C" not in plain.stdout
    assert re.search(r"device +busy +cap +predicted +used +others +speed\n .*:cpu0 .* %   300 MiB +[\d.]+ MiB +[\d.]+ [KM]iB ", plain.stdout), plain.stdout
    top = Top(output)
    top.read_until("Ctrl-C ends this display; the run goes on")
    top.read_until("\x1b[J")  # It is drawn again.
    os.write(top.terminal, b"\x03")
    assert top.code() == 0
    lines = re.sub(r"\x1b\[\d*[AJ]", "", top.text).replace("\r", "").replace("^C", "").splitlines()
    assert max(len(line) for line in lines) < 80, lines
    assert process.poll() is None, "the run goes on"
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 75
    assert "stopped" in pantile("top", output).stdout


def test_it_ends_with_the_run(tmp_path: Path) -> None:
    output = tmp_path / "out"
    process = start(many_pages(tmp_path), output)
    top = Top(output)
    top.read_until("Ctrl-C ends this display")
    pantile("ctl", output, "drain")
    process.wait(timeout=60)
    assert top.code() == 0
    state = json.loads(pantile("status", output, "--format", "json").stdout)["state"]
    assert state in top.text[top.text.rindex("\x1b[J") :]


def test_of_a_run_that_is_over_it_says_so_once(tmp_path: Path) -> None:
    run(Job(tmp_path, inputs=[PAGES / "small.png"]).write(), tmp_path / "out")
    done = pantile("top", tmp_path / "out")
    assert done.returncode == 0
    assert done.stdout.splitlines()[0].startswith("test ") and "done" in done.stdout.splitlines()[0]
    assert "1 done" in done.stdout and "cap" not in done.stdout and "ETA" not in done.stdout
    assert pantile("top", tmp_path).returncode == 2
