"""The mini-cluster is a Slurm cluster, and nothing is left of it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cluster import PROGRAM, Cluster, until, why_not

NAMESPACES = ("net", "uts", "ipc", "mnt", "pid")


def namespaces_in_use() -> set[str]:
    """Of all processes of this machine that are alive."""
    found = set()
    for process in Path("/proc").iterdir():
        for kind in NAMESPACES:
            try:
                found.add(os.readlink(process / "ns" / kind))
            except OSError:
                continue
    return found


def namespaces_of(cluster: Cluster) -> set[str]:
    words = ["readlink", *(f"/proc/self/ns/{kind}" for kind in NAMESPACES)]
    return {name for node in ["ctl", *cluster.nodes] for name in cluster.exec(node, *words).split()}


def network_device(cluster: Cluster) -> Path:
    octets = cluster.environment["MINICLUSTER_NET"].split(".")
    return Path(f"/sys/class/net/mc-{octets[1]}-{octets[2]}")


def test_a_node_has_its_own_name_processes_and_temporary_files(cluster: Cluster) -> None:
    assert cluster.exec("node2", "hostname").strip() == "node2"
    assert len(cluster.exec("node2", "ps", "-e").splitlines()) < 30
    cluster.exec("node2", "touch", "/tmp/of-node2")
    assert "of-node2" not in cluster.exec("node1", "ls", "/tmp")
    assert not Path("/tmp/of-node2").exists()


def test_devices_are_handed_out(cluster: Cluster) -> None:
    said = cluster.command("srun", "--mpi=none", "--nodes=1", "--ntasks=1", "--mem=100M", "--gres=gpu:1", "bash", "-c", "echo =$CUDA_VISIBLE_DEVICES=")
    assert "=0=" in said or "=1=" in said
    assert "error" in cluster.command("sbatch", "--gres=gpu:3", "--wrap", "true", code=None), "there are two a node"


@pytest.mark.parametrize("how", ["in order", signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_of_a_cluster_however_its_owner_ends(cluster: Cluster, how: str | signal.Signals) -> None:
    script = """
import sys, time
sys.path[:0] = sys.argv[1:]
from cluster import Cluster
up = Cluster(nodes=2)
try:
    names = [up.exec(n, "readlink", *("/proc/self/ns/" + k for k in ("net", "uts", "ipc", "mnt", "pid"))) for n in ("ctl", "node1", "node2")]
    print(up.environment["MINICLUSTER_DIR"], up.environment["MINICLUSTER_NET"], *"".join(names).split(), flush=True)
    sys.stdin.readline()
finally:
    up.down()
"""
    here = Path(__file__).resolve().parent
    paths = [str(here), str(here.parent / "python")]
    owner = subprocess.Popen([sys.executable, "-B", "-c", script, *paths], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        folder, net, *names = owner.stdout.readline().split()
        device = Path("/sys/class/net/mc-" + "-".join(net.split(".")[1:]))
        assert len(names) == 15
        assert set(names) <= namespaces_in_use(), "it runs"
        assert device.exists() and Path(folder).exists()
        assert network_device(cluster).exists(), "beside ours"
    finally:
        if how == "in order":
            owner.stdin.write("\n")
            owner.stdin.flush()
        else:
            owner.send_signal(how)
        owner.wait(timeout=30)
    until("no namespace of it is in use", lambda: not set(names) & namespaces_in_use(), 20)
    until("its folder is gone", lambda: not Path(folder).exists(), 20)
    assert not device.exists()
    assert folder not in Path("/proc/self/mounts").read_text()
    assert network_device(cluster).exists(), "ours stays"


def test_two_checks_at_once_do_not_meet(tmp_path: Path) -> None:
    """Each makes a network device for a moment: of a name of its own, or one of them would say that it cannot."""
    if why_not():
        pytest.skip("it cannot")
    real = shutil.which("ip", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    (tmp_path / "ip").write_text(f'#!/bin/sh\necho "$*" >>{tmp_path}/asked\nexec {real} "$@"\n')
    (tmp_path / "ip").chmod(0o755)
    for _ in range(2):
        subprocess.run([PROGRAM, "check"], env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}, check=True)
    made = re.findall(r"^link add (\S+) type veth peer name (\S+)$", (tmp_path / "asked").read_text(), re.M)
    names = [name for pair in made for name in pair]
    assert len(set(names)) == 4
    assert max(map(len, names)) <= 15, "no device has a longer one"
    assert not [name for name in names if Path(f"/sys/class/net/{name}").exists()], "and it is gone again"


def test_it_says_why_it_cannot_run(tmp_path: Path) -> None:
    if why_not():
        pytest.skip("it cannot")
    (tmp_path / "bin").mkdir()
    for program in ("bash", "id", "readlink", "dirname"):
        (tmp_path / "bin" / program).symlink_to(f"/usr/bin/{program}")
    done = subprocess.run([PROGRAM, "check"], env={"PATH": str(tmp_path / "bin")}, capture_output=True, text=True, check=False)
    if Path("/usr/sbin/slurmd").exists():  # which the tool looks for there, too
        assert "srun is not installed" in done.stdout or "unshare is not installed" in done.stdout or "setsid" in done.stdout
    assert done.returncode == 3
    assert "apt-get install" in done.stdout
    nobody = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", PROGRAM, "check"], capture_output=True, text=True, check=False)
    assert nobody.returncode == 3
    assert "only root" in nobody.stdout
