"""The mini-cluster for tests: jobs are queued, looked at and waited for, nodes are cut off and come back."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from runs import BINARY, SOURCE, environment

PROGRAM = Path(__file__).resolve().parent / "minicluster"
TEMPLATES = SOURCE / "slurm"

# States in which nothing more will happen to a job by itself.
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY")


def why_not() -> str:
    """Why there can be no cluster on this machine; empty if there can."""
    return subprocess.run([PROGRAM, "check"], capture_output=True, text=True, check=False).stdout.strip()


def until(what: str, holds: Callable[[], object], timeout: float = 60, log: Callable[[], str] = str) -> None:
    """Waits; says what did not come about, and what is in the log by then."""
    deadline = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < deadline, f"not within {timeout:.0f} s: {what}\n{log()}"
        time.sleep(0.1)


class Cluster:
    """A cluster of its own network and folder, so that several may be up at once. It goes with this process, however that ends."""

    def __init__(self, nodes: int = 3, slots: int = 2, gpus: int = 2) -> None:
        self._is_down = False
        self.nodes = [f"node{i + 1}" for i in range(nodes)]
        top = Path(tempfile.mkdtemp(prefix="pantile-slurm-", dir="/var/tmp"))
        self.folder = top / "work"  # goes with the cluster; all nodes see it under this name
        pid = os.getpid()
        clean = {key: value for key, value in environment().items() if not key.startswith(("SLURM_", "SRUN_", "PANTILE_"))}
        self.environment = clean | {
            "MINICLUSTER_DIR": str(top),
            "MINICLUSTER_NET": f"10.{64 + pid // 256 % 64}.{pid % 256}",  # no other process has our number
            "MINICLUSTER_SHARE": str(SOURCE),
            "PANTILE": str(BINARY),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
        }
        try:
            self.minicluster("up", "--nodes", nodes, "--slots", slots, "--gpus", gpus, "--owner", pid)
            self.folder.mkdir()
            for line in self.minicluster("env").splitlines():
                self.environment |= dict(re.findall(r"(\w+)=(\S+)", line))
        except BaseException:
            self.down()
            raise

    def down(self) -> None:
        self._is_down = True
        self.minicluster("down", code=None)
        shutil.rmtree(self.folder.parent, ignore_errors=True)

    # ---- commands -----------------------------------------------------------------------------------------------------------

    def minicluster(self, *arguments: object, code: int | None = 0) -> str:
        done = subprocess.run([PROGRAM, *map(str, arguments)], env=self.environment, capture_output=True, text=True, timeout=90, check=False)
        assert code is None or done.returncode == code, f"minicluster {arguments}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def command(self, *words: object, code: int | None = 0, timeout: float = 60, cwd: Path | None = None, **variables: str) -> str:
        """On the login node. Returns what it says; `code=None`: however it ends."""
        assert not self._is_down, "the cluster has ended"
        done = subprocess.run(
            [str(word) for word in words], env=self.environment | variables, cwd=cwd or self.folder,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout, check=False,
        )  # fmt: skip
        assert code is None or done.returncode == code, f"exit {done.returncode}: {words}\n{done.stdout}"
        return done.stdout

    def pantile(self, *words: object, code: int | None = 0, timeout: float = 120, **variables: str) -> str:
        """The program, on the login node."""
        return self.command(BINARY, *words, code=code, timeout=timeout, **variables)

    def exec(self, node: str, *words: object, code: int | None = 0) -> str:
        """A command on a node, outside of Slurm."""
        return self.command(PROGRAM, "exec", node, *words, code=code)

    # ---- jobs ---------------------------------------------------------------------------------------------------------------

    def sbatch(self, script: Path | str, *arguments: object, options: list[str] | None = None, cwd: Path | None = None, **variables: str) -> str:
        """Queues a script, of slurm/ if it is a name, with these options before it. Returns the number of the job."""
        path = TEMPLATES / script if isinstance(script, str) else script
        said = self.command("sbatch", "--parsable", *(options or []), path, *arguments, cwd=cwd, **variables)
        return said.strip().splitlines()[-1]

    def info(self, job: str) -> dict[str, str]:
        """What `scontrol show job` says of it."""
        said = self.command("scontrol", "-o", "show", "job", job, code=None)
        return dict(re.findall(r"(?:^| )(\w[\w:/]*)=(.*?)(?= \w[\w:/]*=|\n|$)", said))

    def state(self, job: str) -> str:
        return self.info(job).get("JobState", "UNKNOWN")

    def restarts(self, job: str) -> int:
        return int(self.info(job).get("Restarts", 0))

    def release(self, job: str) -> None:
        """A job that was queued again waits 120 s; no longer."""
        self.command("scontrol", "update", f"JobId={job}", "StartTime=now", code=None)

    def wait(self, job: str, *states: str, timeout: float = 120) -> str:
        """Waits until the job is in one of the states, of which it has ended if none is given."""
        deadline = time.monotonic() + timeout
        while (state := self.state(job)) not in (states or ENDED):
            if time.monotonic() > deadline or state in ENDED:
                raise AssertionError(f"job {job} is {state}, not {' or '.join(states or ENDED)}\n{self.info(job)}\n{self.log(job)}")
            time.sleep(0.1)
        return state

    def wait_for_requeue(self, job: str, restarts: int = 1, timeout: float = 90) -> None:
        """Waits until Slurm has queued the job again for that time."""
        until(f"job {job} is queued again", lambda: self.restarts(job) >= restarts, timeout, lambda: self.log(job))

    def go_on(self, job: str, timeout: float = 120) -> None:
        """Waits for the job's end, without the 120 s for which Slurm holds it back each time. It must end well."""
        deadline = time.monotonic() + timeout
        while (state := self.state(job)) != "COMPLETED":
            if time.monotonic() > deadline or state in ENDED:
                raise AssertionError(f"job {job} is {state}, not COMPLETED\n{self.info(job)}\n{self.log(job)}")
            if state == "PENDING" and self.info(job).get("Reason") == "BeginTime":
                time.sleep(2)  # its node still clears up after it, and fails to start it at once
                self.release(job)
            time.sleep(0.3)

    def log(self, job: str) -> str:
        """What the job's script and all that it has started have said."""
        path = Path(self.info(job).get("StdOut", ""))
        return path.read_text(errors="replace") if path.is_file() else ""

    def cancel(self, job: str, *options: str) -> None:
        self.command("scancel", *options, job)

    def signal(self, job: str) -> None:
        """Tells the script that its time is nearly over, as Slurm does."""
        self.cancel(job, "--batch", "--signal=USR2")

    # ---- nodes --------------------------------------------------------------------------------------------------------------

    def kill_node(self, node: str, crash: bool = False) -> None:
        """Takes its cable out, then kills all that runs on it. `crash`: the cable stays in, and its peers see connections end."""
        self.minicluster("kill", *(["--crash"] if crash else []), node)

    def revive(self, node: str) -> None:
        """Boots it again, and waits until Slurm has it back."""
        self.minicluster("revive", node)
        until(f"{node} is back", lambda: self.command("sinfo", "-h", "-p", "main", "-n", node, "-o", "%T").startswith("idle"), 60)

    def processes(self, node: str, pattern: str) -> list[int]:
        """Those on a node whose command line matches, by their numbers there."""
        return [int(pid) for pid in self.exec(node, "pgrep", "-f", "--", pattern, code=None).split()]
