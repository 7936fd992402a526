"""What somebody may hand us to do harm: each is refused in words, soon, with little memory, and nothing outside is read or written."""

from __future__ import annotations

import csv
import io
import json
import os
import socket
import struct
import subprocess
import tarfile
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from runs import BINARY, PAGES, SHARPEN, Job, digest, environment, measured, pantile, run, verified

SMALL = (PAGES / "small.png").read_bytes()
Y = "{color: Y, scale: 1/255}"
SANITIZED = bool(os.environ.get("PANTILE_SANITIZE"))


def attempt(tmp_path: Path, source: Path | str, *arguments: object, patience_s: float = 60, most_mib: int = 400) -> tuple[int, str, dict[str, str]]:
    """Runs a job over one input: exit code, stderr, and reasons of what is in quarantine."""
    job = Job(tmp_path / "job", model=SHARPEN, image=Y, inputs=[source]).write()
    ran = measured("run", job, "--output", tmp_path / "out", *arguments, timeout=patience_s)
    assert SANITIZED or ran.peak_mib < most_mib, f"{ran.peak_mib} MiB\n{ran.said}"
    reasons = {}
    if (tmp_path / "out" / "quarantine.csv").exists():
        with (tmp_path / "out" / "quarantine.csv").open(newline="") as file:
            reasons = {row["path"]: row["reason"] for row in csv.DictReader(file)}
    return ran.code, ran.said, reasons


def refused(tmp_path: Path, source: Path | str, words: str, **more: float) -> None:
    code, said, _ = attempt(tmp_path, source, **more)
    assert code == 2, (code, said)
    assert words in said
    assert len(said) < 3000


def header(name: bytes, size: int, kind: bytes = b"0", size_field: bytes | None = None, link: bytes = b"") -> bytes:
    block = bytearray(512)
    block[: len(name)] = name
    block[100:124] = b"0000644\0" + b"0000000\0" * 2
    block[124:136] = b"%011o\0" % size if size_field is None else size_field
    block[136:148] = b"%011o\0" % 0
    block[156:157] = kind
    block[157 : 157 + len(link)] = link
    block[257:265] = b"ustar\x0000"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def member(name: bytes, data: bytes, kind: bytes = b"0") -> bytes:
    return header(name, len(data), kind) + data + b"\0" * (-len(data) % 512)


END = b"\0" * 1024


def pax(key: bytes, value: bytes) -> bytes:
    line = b" %s=%s\n" % (key, value)
    length = len(line) + 1
    while len(b"%d" % length) + len(line) != length:
        length += 1
    return member(b"pax", b"%d" % length + line, b"x")


@pytest.mark.parametrize(
    ("archive", "words"),
    [
        (header(b"a.png", 0, size_field=b"\x80\0\0\0\x7f" + b"\xff" * 7) + SMALL + END, "cut short"),
        (header(b"a.png", 0, size_field=b"\xff" * 12) + SMALL + END, "no tar archive"),
        (pax(b"size", b"18446744073709551104") + member(b"a.png", SMALL) + END, "cut short"),
        (header(b"long", 0, b"L", size_field=b"\x80" + (1 << 40).to_bytes(11, "big")) + END, "it has 1099511627776 bytes that describe a member, and 1048576 are the most"),
        (header(b"pax", 1 << 33, b"x") + END, "it has 8589934592 bytes that describe a member"),
        (member(b"long", b"n" * 60_000 + b".png\0", b"L") + member(b"a.png", SMALL) + END, "has 60004 bytes, and 4096 are the most"),
        (pax(b"path", b"a\0b.png") + member(b"a.png", SMALL) + END, "has a byte 0 in it"),
        (member(b"a\xff\xfe.png", SMALL) + END, "not UTF-8"),
        (b"".join(member(b"long", b"z" * (1 << 20), b"L") for _ in range(40)) + END, "no image is found"),
    ],
)
def test_tar_archives_with_lying_headers(tmp_path: Path, archive: bytes, words: str) -> None:
    (tmp_path / "a.tar").write_bytes(archive)
    refused(tmp_path, tmp_path / "a.tar", words, most_mib=60)


def test_what_is_no_file_in_a_tar_is_not_followed(tmp_path: Path) -> None:
    links = [(b"hard.png", b"1", b"a.png"), (b"soft.png", b"2", b"/etc/passwd"), (b"up.png", b"2", b"../../etc/passwd"), (b"x.png", b"2", b"y.png"), (b"y.png", b"2", b"x.png")]
    archive = member(b"a.png", SMALL) + b"".join(header(name, 0, kind, link=link) for name, kind, link in links)
    archive += header(b"fifo.png", 0, b"6") + header(b"device.png", 0, b"3") + member(b"sparse.png", SMALL, b"S") + END
    (tmp_path / "a.tar").write_bytes(archive)
    code, said, reasons = attempt(tmp_path, tmp_path / "a.tar")
    assert code == 3, said
    assert reasons == {**dict.fromkeys(("soft.png", "up.png", "x.png", "y.png"), "unreadable"), "sparse.png": "unsupported"}
    assert verified(tmp_path / "out")["done"] == 2


HOSTILE_NAMES = ["../../up.png", "/abs.png", "..\\..\\back.png", "a\nb.png", "\x1b]0;owned\x07.png", "a/../../b.png", "x" * 300 + ".png", "d" * 300 + "/f.png"]
HOSTILE_NAMES += ["a.png/b.png", "a.png", "a.jpg", "f/./b.png", "f/b.jpg", "..png", "lang/" * 300 + "f.png", "\u00dc.png", "U\u0308.png", "up.png"]


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_names_that_lead_elsewhere_stay_in_the_folder_of_an_export(tmp_path: Path, kind: str) -> None:
    archive = tmp_path / f"a.{kind}"
    if kind == "tar":
        with tarfile.open(archive, "w", format=tarfile.GNU_FORMAT) as tar:
            for name in HOSTILE_NAMES:
                info = tarfile.TarInfo(name)
                info.size = len(SMALL)
                tar.addfile(info, io.BytesIO(SMALL))
    else:
        with zipfile.ZipFile(archive, "w") as packed:
            for name in HOSTILE_NAMES:
                packed.writestr(name, SMALL)
    code, said, _ = attempt(tmp_path, archive)
    assert code == 0, said
    before = {path for path in tmp_path.rglob("*") if "deep" not in path.parts}
    done = pantile("export", tmp_path / "out", tmp_path / "deep" / "er" / "down")
    assert done.returncode == 0, done.stderr
    files = [path for path in (tmp_path / "deep" / "er" / "down").rglob("*") if path.is_file()]
    hidden = 2  # "..png" and "..\\..\\back.png" begin with a dot
    assert len(files) == len(HOSTILE_NAMES) - hidden, "each is written once"
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in files)
    assert {path for path in tmp_path.rglob("*") if "deep" not in path.parts} == before, "and nothing elsewhere"
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["er"]
    for command in ("inspect", "verify"):
        assert "\x1b" not in pantile(command, tmp_path / "out").stdout


def test_an_export_follows_no_link_that_lies_in_its_folder(tmp_path: Path) -> None:
    job = Job(tmp_path, model=SHARPEN, image=Y, include=["small*"]).write()
    run(job, tmp_path / "out")
    (tmp_path / "precious").write_text("precious")
    folder = tmp_path / "seen"
    folder.mkdir()
    (folder / "small.png").symlink_to(tmp_path / "precious")
    (folder / "small-grey.png").symlink_to(tmp_path / "new")
    assert pantile("export", tmp_path / "out", folder).returncode == 0
    assert (tmp_path / "precious").read_text() == "precious" and not (tmp_path / "new").exists()
    assert (folder / "small.png").is_file() and not (folder / "small.png").is_symlink()
    # A folder on the way that is a link is not gone through.
    (tmp_path / "in" / "sub").mkdir(parents=True)
    (tmp_path / "in" / "sub" / "a.png").write_bytes(SMALL)
    job = Job(tmp_path, model=SHARPEN, image=Y, inputs=[tmp_path / "in"]).write()
    run(job, tmp_path / "out2")
    (tmp_path / "elsewhere").mkdir()
    (folder / "sub").symlink_to(tmp_path / "elsewhere")
    done = pantile("export", tmp_path / "out2", folder)
    assert done.returncode == 1 and "is a link or a file" in done.stderr
    assert not list((tmp_path / "elsewhere").iterdir())


def zip_of(members: list[tuple[str, bytes]]) -> bytearray:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in members:
            packed.writestr(name, data)
    return bytearray(file.getvalue())


@pytest.mark.parametrize("lie", [0, 10, len(SMALL) - 1, len(SMALL) + 1, 1 << 28, 0xFFFFFFF0])
def test_zip_members_that_lie_about_their_size(tmp_path: Path, lie: int) -> None:
    data = zip_of([("a.png", SMALL)])
    at = data.find(b"PK\1\2")
    data[at + 24 : at + 28] = struct.pack("<I", lie)
    (tmp_path / "a.zip").write_bytes(data)
    code, said, reasons = attempt(tmp_path, tmp_path / "a.zip", most_mib=100)
    assert code == 3, said
    assert set(reasons) == {"a.png"} and reasons["a.png"] in {"corrupt", "not_an_image", "truncated"}


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zip_of([("bomb.png", SMALL + b"\0" * (300 << 20)), ("good.png", SMALL)]))
    code, said, reasons = attempt(tmp_path, tmp_path / "a.zip", most_mib=100)
    assert (code, reasons) == (3, {"bomb.png": "too_large"}), said
    code, said, reasons = attempt(tmp_path / "2", tmp_path / "a.zip", "--set", "limits.max_file_size=1KiB", most_mib=100)
    assert reasons == {"bomb.png": "too_large", "good.png": "too_large"}, "the limit has a key"


def far_directory(far: int) -> tuple[bytes, int]:
    """A TIFF whose directory lies `far` into it, deflated, and its CRC."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    zeros = b"\0" * (1 << 20)
    parts = [squeeze.compress(b"II*\0" + struct.pack("<I", far))]
    crc = zlib.crc32(b"II*\0" + struct.pack("<I", far))
    for _ in range(far >> 20):
        parts.append(squeeze.compress(zeros))
        crc = zlib.crc32(zeros, crc)
    return b"".join(parts) + squeeze.flush(), crc


def zip_by_hand(data: bytes, crc: int, size: int, names: list[bytes]) -> bytes:
    """All names stand for the same bytes, as in the bombs of overlapping members."""
    local = struct.pack("<IHHHHHIIIHH", 0x04034B50, 20, 0, 8, 0, 0, crc, len(data), size, len(names[0]), 0) + names[0] + data
    directory = b"".join(
        struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 20, 20, 0, 8, 0, 0, crc, len(data), size, len(name), 0, 0, 0, 0, 0, 0) + name for name in names
    )
    return local + directory + struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, len(names), len(names), len(directory), len(local), 0)


def test_a_look_at_a_header_takes_no_memory_for_what_lies_before_it(tmp_path: Path) -> None:
    far = 200 << 20
    data, crc = far_directory(far)
    (tmp_path / "a.zip").write_bytes(zip_by_hand(data, crc, far + 8, [b"a.tif"]))
    code, said, reasons = attempt(tmp_path, tmp_path / "a.zip", most_mib=100)
    assert (code, set(reasons)) == (3, {"a.tif"}), said


def test_members_that_lie_in_each_other_are_refused(tmp_path: Path) -> None:
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = squeeze.compress(SMALL) + squeeze.flush()
    (tmp_path / "a.zip").write_bytes(zip_by_hand(data, zlib.crc32(SMALL), len(SMALL), [b"%03d.png" % i for i in range(100)]))
    refused(tmp_path, tmp_path / "a.zip", "some lie in each other")


def test_pipes_devices_and_links_in_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "ok.png").write_bytes(SMALL)
    os.mkfifo(folder / "pipe.png")
    (folder / "zero.png").symlink_to("/dev/zero")
    (folder / "self.png").symlink_to("self.png")
    (folder / "loop").symlink_to(".")
    (folder / "up").symlink_to("..")
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(folder)  # the path of a socket has 108 bytes at most
        try:
            listener.bind("s.png")
        finally:
            os.chdir(here)
        code, said, reasons = attempt(tmp_path, folder)
    assert (code, reasons) == (3, dict.fromkeys(("self.png", "pipe.png", "zero.png", "s.png"), "unreadable")), said
    assert verified(tmp_path / "out")["done"] == 1


@pytest.fixture
def open_path():  # noqa: ANN201
    """A folder that everybody may enter. pytest's own is shut, and shut again by each pytest that starts beside this one."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not enter a folder")
def test_what_lies_in_a_folder_that_may_not_be_entered_is_said(open_path: Path) -> None:
    folder = open_path / "in"
    (folder / "shut").mkdir(parents=True)
    (folder / "a.png").write_bytes(SMALL)
    (folder / "shut" / "file.png").write_bytes(SMALL)
    (folder / "shut" / "link.png").symlink_to("../a.png")
    (folder / "shut").chmod(0o744)
    job = Job(open_path / "job", model=SHARPEN, image=Y, inputs=[folder]).write()
    missing = Job(open_path / "job2", model=SHARPEN, image=Y, inputs=[folder / "shut" / "file.png"]).write()

    def as_nobody(*arguments: object) -> subprocess.CompletedProcess[str]:
        nobody = 65534
        command = [str(BINARY), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment(), check=False, user=nobody, group=nobody, extra_groups=[])

    done = as_nobody("run", job, "--output", open_path / "out")
    if done.returncode == 126 or "cannot open shared" in done.stderr:
        pytest.skip("the program cannot be started by others")
    assert done.returncode == 3, done.stderr
    assert "shut/file.png" in done.stderr and "shut/link.png" in done.stderr and "Permission denied" in done.stderr
    done = as_nobody("run", missing, "--output", open_path / "out2")
    assert done.returncode == 2 and "Permission denied" in done.stderr and "no such file" not in done.stderr, done.stderr


@pytest.mark.parametrize("name", ["x.png", "x.tar", "x.zip", "x.txt", "x.h5:/images"])
@pytest.mark.parametrize("kind", ["pipe", "zero"])
def test_an_input_that_is_no_file_is_refused_at_once(tmp_path: Path, name: str, kind: str) -> None:
    path = tmp_path / name.split(":")[0]
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    code, said, _ = attempt(tmp_path, f"{tmp_path}/{name}", patience_s=20)
    assert code == (3 if name == "x.png" else 2), said
    assert "not a regular file" in said


def test_pipes_among_job_files_and_models(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    job = Job(tmp_path, keys=["include: pipe"]).write()
    for arguments in (("config", "show", job), ("config", "show", tmp_path / "pipe"), ("model", tmp_path / "pipe")):
        done = pantile(*arguments, timeout=20)
        assert done.returncode == 2 and "not a regular file" in done.stderr, done.stderr


def test_lists_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    refused(tmp_path, path, "list.txt:1: the name is longer than the 4096 bytes", most_mib=60)
    path.write_bytes(b"a.png\n" + b"b" * (64 << 20))
    refused(tmp_path, path, "list.txt:2: the name is longer", most_mib=60)
    path.write_bytes(b"a.png\nb.png\0x\n")
    refused(tmp_path, path, "list.txt:2: the name has a byte 0 in it")
    path.write_bytes(bytes(range(128, 256)))
    refused(tmp_path, path, "not UTF-8")


def test_more_items_than_allowed_are_refused(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("".join(f"{i}.png\n" for i in range(11)))
    code, said, _ = attempt(tmp_path, tmp_path / "list.txt", "--set", "limits.max_items=10")
    assert code == 2 and "there are 11 items, and limits.max_items is 10" in said
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        file.create_dataset("images", (1 << 40, 20, 30), "u1", chunks=(1, 20, 30))
    refused(tmp_path, f"{tmp_path}/rows.h5:/images", "it has 1099511627776 rows, and 1000000000 are the most", most_mib=60)
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        file.create_dataset("images", (50_000_000, 20, 30), "u1", chunks=(1, 20, 30))
    refused(tmp_path, f"{tmp_path}/rows.h5:/images", "limits.max_items is 20000000", most_mib=60)


def test_a_part_of_a_stack_that_claims_any_number_of_rows(tmp_path: Path) -> None:
    for rows in (1 << 40, 2_000_000):
        with h5py.File(tmp_path / "rows.h5", "w") as file:
            file.create_dataset("images", (rows, 20, 30), "u1", chunks=(1, 20, 30))
        code, said, reasons = attempt(tmp_path / str(rows), f"{tmp_path}/rows.h5:/images", "--set", "part=1/100000", most_mib=150)
        if rows > 1_000_000_000:
            assert code == 2 and "it has 1099511627776 rows, and 1000000000 are the most" in said, said
        else:
            assert code == 3 and set(reasons.values()) == {"truncated"} and len(reasons) < 60, said


def test_a_file_for_regions_has_a_limit_too(tmp_path: Path) -> None:
    """A terabyte that begins like a PNG: all of its bytes would be read."""
    with (tmp_path / "big.png").open("wb") as file:
        file.write(SMALL)
        file.truncate(1 << 40)
    code, said, reasons = attempt(tmp_path, tmp_path / "big.png")
    assert (code, reasons) == (3, {"big.png": "too_large"}), said


def test_names_do_not_reach_the_terminal_as_commands(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "bad\x1b]0;owned\x07\x1b[2J\u009b2J.png").write_bytes(b"no image")
    (folder / "good.png").write_bytes(SMALL)
    code, said, _ = attempt(tmp_path, folder)
    assert code == 3
    assert not {"\x1b", "\x07", "\u009b"} & set(said), repr(said)
    assert "bad\\x1b]0;owned\\x07\\x1b[2J\\x9b2J.png is in quarantine" in said


FORGED = "forged: all is well"
COMMANDING = ["sgr\x1b[8mhidden.png", f"a\n{FORGED}.png", os.fsdecode(b"raw\x9b2J.png"), "rtl\u202egnp.png", "c1\u009b2J.png"]


def harmless(said: str) -> str:
    """What was printed shows everything and commands nothing."""
    odd = {character for character in said if character != "\n" and (unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp"))}
    assert not odd, (odd, said)
    assert not [line for line in said.splitlines() if line.startswith((FORGED, "error: forged"))], said
    return said


def test_names_command_a_terminal_in_no_subcommand(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    raw = next(name for name in COMMANDING if name.startswith("raw"))
    (tmp_path / raw).write_bytes(SMALL)
    refused(tmp_path, tmp_path, "raw\\x9b2J.png: a file name is not UTF-8")
    names = [name for name in COMMANDING if name != raw]
    for name in names:
        (folder / name).write_bytes(SMALL)
        (folder / f"bad {name}").write_bytes(b"no image")
    job = Job(tmp_path / "job", model=SHARPEN, image=Y, inputs=[folder]).write()
    plan = pantile("plan", job, "--output", tmp_path / "out")
    assert plan.returncode == 0, plan.stderr
    for name in ("bad a\\x0aforged", "bad rtl\\u202egnp", "bad c1\\x9b2J", "bad sgr\\x1b[8mhidden"):
        assert name in plan.stdout
    harmless(plan.stdout + plan.stderr)
    for ranks in (1, 2):
        ran = run(job, tmp_path / f"out{ranks}", "--ranks", ranks, code=3)
        assert "sgr" in harmless(ran.stderr)
    for item in range(2 * len(names)):
        why = pantile("why", tmp_path / "out1", item)
        assert why.returncode == 0
        harmless(why.stdout + why.stderr)
    other = Job(tmp_path / "job", model=SHARPEN, image="{color: Y, scale: 1/300}", inputs=[folder]).write()
    run(other, tmp_path / "other", code=3)
    against = pantile("verify", tmp_path / "out1", "--against", tmp_path / "other")
    assert against.returncode == 4, against.stderr
    assert "rtl\\u202egnp.png (image)" in harmless(against.stdout + against.stderr)
    for command in ("inspect", "status", "top", "verify", "export"):
        done = pantile(command, tmp_path / "out1", *([tmp_path / "export"] if command == "export" else []))
        assert done.returncode == 0, done.stderr
        harmless(done.stdout + done.stderr)
    for command in (["inspect"], ["verify", tmp_path / "out1", "--against"], ["plan", job, "--output"]):
        assert json.loads(pantile(*command, tmp_path / "other", "--format", "json").stdout)


def test_job_files_command_no_terminal(tmp_path: Path) -> None:
    for line in (r'"k\e[8m\nerror: forged\u202e": 1', r'run: {"x\e[2J": 1}', r'output: {dir: "out\e[2J\x9b\n"}', "\u202ekey: 1", "key: [\x9b"):
        job = Job(tmp_path, keys=[line]).write()
        done = pantile("run", job, "--output", tmp_path / "out")
        assert done.returncode == 2, (line, done.stderr)
        harmless(done.stdout + done.stderr)
    for name in COMMANDING:
        for command in ("run", "doctor", "model", "inspect", "calibrate"):
            done = pantile(command, tmp_path / name)
            assert done.returncode != 0
            harmless(done.stdout + done.stderr)


def test_models_command_no_terminal(tmp_path: Path) -> None:
    odd = f"x\x1b[2J\u202e\n{FORGED}"
    names = [odd, "mid" + odd, "out" + odd]
    nodes = [helper.make_node("Relu", names[:1], names[1:2], name=odd), helper.make_node("Op" + odd, names[1:2], names[2:], name=odd, domain="d" + odd)]
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, "h" + odd, "w"]) for name in (names[0], names[2])]
    model = helper.make_model(helper.make_graph(nodes, odd, tensors[:1], tensors[1:]), producer_name=odd)
    model.opset_import.append(helper.make_opsetid("d" + odd, 1))
    onnx.save(model, tmp_path / "odd.onnx")
    for arguments in ([], ["--check"]):
        done = pantile("model", tmp_path / "odd.onnx", *arguments)
        assert "x\\x1b[2J\\u202e\\x0aforged" in done.stdout + done.stderr
        harmless(done.stdout + done.stderr)
    job = Job(tmp_path, model=tmp_path / "odd.onnx").write()
    for command in ("plan", "doctor", "run"):
        done = pantile(command, job)
        assert done.returncode != 0
        harmless(done.stdout + done.stderr)


IMAGES = np.random.default_rng(1).integers(0, 255, (3, 20, 30), dtype=np.uint8)


def stack_that(make: Callable[[h5py.File], object], tmp_path: Path) -> str:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        make(file)
    return f"{tmp_path}/x.h5:/images"


def test_stacks_that_reach_into_other_files_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.h5")

    def linked(file: h5py.File) -> None:
        file["images"] = h5py.ExternalLink(str(tmp_path / "pipe.h5"), "/images")

    def through(file: h5py.File) -> None:
        file["a"] = h5py.ExternalLink(str(tmp_path / "pipe.h5"), "/")
        file["images"] = h5py.SoftLink("/a/images")

    def in_a_loop(file: h5py.File) -> None:
        file["images"] = h5py.SoftLink("/images")

    refused(tmp_path, stack_that(linked, tmp_path), "it is a link into another file", patience_s=20)
    refused(tmp_path, stack_that(through, tmp_path), "it is a link into another file", patience_s=20)
    refused(tmp_path, stack_that(in_a_loop, tmp_path), "too many links")
    for target in ("/etc/passwd", str(tmp_path / "pipe.h5"), "/dev/zero"):
        place = stack_that(lambda file, target=target: file.create_dataset("images", (1, 20, 30), "u1", external=[(target, 0, 600)]), tmp_path)
        refused(tmp_path, place, "its pixels lie in other files", patience_s=20)


def test_stacks_with_chunks_out_of_proportion_are_refused(tmp_path: Path) -> None:
    place = stack_that(lambda file: file.create_dataset("images", (1000, 2000, 2000), "u1", chunks=(1000, 2000, 2000), compression="gzip"), tmp_path)
    refused(tmp_path, place, "is packed in chunks of 3.73 GiB", most_mib=60)
    good = stack_that(lambda file: file.create_dataset("images", data=IMAGES, chunks=(3, 20, 30), compression="gzip"), tmp_path)
    assert attempt(tmp_path, good)[0] == 0


def test_a_packed_chunk_unpacks_to_no_more_than_a_chunk(tmp_path: Path) -> None:
    """HDF5 would take a gigabyte for it."""
    squeeze = zlib.compressobj(1)
    zeros = bytes(1 << 20)
    bomb = b"".join(squeeze.compress(zeros) for _ in range(1000)) + squeeze.flush()

    def make(file: h5py.File) -> None:
        side = 4096  # a chunk of 16 MiB, and a quarter as many stored bytes
        images = file.create_dataset("images", (2, side, side), "u1", chunks=(1, side, side), compression="gzip")
        images.id.write_direct_chunk((0, 0, 0), bomb)
        images[1] = 7

    code, said, reasons = attempt(tmp_path, stack_that(make, tmp_path))
    assert (code, reasons) == (3, {"000000": "corrupt"}), said
    assert "a packed chunk of it is damaged: it unpacks to more than" in said


def test_stacks_that_this_hdf5_cannot_read_are_refused_at_once(tmp_path: Path) -> None:
    place = stack_that(lambda file: file.create_dataset("images", data=IMAGES, compression="lzf"), tmp_path)
    refused(tmp_path, place, "it is packed with lzf, which the HDF5 of this machine does not have")
    with h5py.File(tmp_path / "x.h5", "w", libver="latest") as file:
        file.create_dataset("images", data=IMAGES, chunks=(1, 20, 30))
    code, said, _ = attempt(tmp_path, place)
    assert code == 0 or (code == 2 and "a newer HDF5 wrote it than this one reads" in said), said


def test_rows_that_were_never_written_are_no_black_images(tmp_path: Path) -> None:
    def half(file: h5py.File) -> None:
        file.create_dataset("images", (3, 20, 30), "u1", chunks=(1, 10, 30))[0] = IMAGES[0]
        file["images"][1, :10] = IMAGES[1, :10]

    code, said, reasons = attempt(tmp_path, stack_that(half, tmp_path))
    assert (code, reasons) == (3, {"000001": "truncated", "000002": "truncated"}), said
    code, said, reasons = attempt(tmp_path / "2", stack_that(lambda file: file.create_dataset("images", (2, 20, 30), "u1"), tmp_path))
    assert (code, set(reasons.values())) == (3, {"truncated"}), said


def test_damaged_stacks_are_refused_in_words(tmp_path: Path) -> None:
    stack_that(lambda file: file.create_dataset("images", data=IMAGES), tmp_path)
    whole = (tmp_path / "x.h5").read_bytes()
    for length in (10, 100, 1500, len(whole) - 10):
        (tmp_path / "x.h5").write_bytes(whole[:length])
        refused(tmp_path, f"{tmp_path}/x.h5:/images", "HDF5 cannot")


def external(folder: Path, location: str, offset: object = None, length: object = None, in_branch: bool = False) -> Path:
    """A convolution whose weights lie in another file."""
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1, 1, 3, 3], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        if value is not None:
            tensor.external_data.add(key=key, value=str(value))
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, "H", "W"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, "h", "w"])
    node = helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[3, 3])
    if in_branch:
        branch = helper.make_graph([helper.make_node("Conv", ["x", "w"], ["z"], kernel_shape=[3, 3])], "branch", [], [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)], [tensor])
        yes = helper.make_tensor("c", TensorProto.BOOL, [], [True])
        graph = helper.make_graph([helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)], "g", [x], [y], [yes])
    else:
        graph = helper.make_graph([node], "g", [x], [y], [tensor])
    path = folder / "m.onnx"
    path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString())
    return path


def test_weights_of_a_model_stay_in_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    weights = np.full(9, 1 / 9, np.float32).tobytes()
    (tmp_path / "secret.bin").write_bytes(weights)
    (folder / "w.bin").write_bytes(weights)
    (folder / "link.bin").symlink_to("../secret.bin")
    (folder / "up").symlink_to("..")
    (folder / "zero.bin").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe.bin")
    assert pantile("model", external(folder, "w.bin")).returncode == 0
    paths = ("../secret.bin", "a/../../secret.bin", str(tmp_path / "secret.bin"), "w.bin\0x")
    links = {"link.bin": tmp_path / "secret.bin", "up/secret.bin": tmp_path / "secret.bin", "zero.bin": "/dev/zero"}
    for location in (*paths, *links):
        words = f"a link that leads to {links[location]} (such a link could reach anything)" if location in links else "not a file in the model's folder"
        for in_branch in (False, True):
            done = pantile("model", external(folder, location, in_branch=in_branch), timeout=20)
            assert done.returncode == 2 and words in done.stderr, (location, done.stderr)
    for offset, length in ((1 << 62, 36), ((1 << 64) - 36, 36), (-4, 36), (0, 8), (0, 1 << 39), ("x", 36)):
        done = pantile("model", external(folder, "w.bin", offset, length), timeout=20)
        assert done.returncode == 2 and "is damaged: of its weights 'w'" in done.stderr, done.stderr
    for location, offset in (("pipe.bin", None), (".", None), ("w.bin", 4)):
        job = Job(tmp_path, model=external(folder, location, offset), image=Y, inputs=[PAGES / "small.png"]).write()
        done = pantile("plan", job, timeout=20)
        assert done.returncode == 2 and "is not in its folder, or is shorter" in done.stderr, done.stderr
        assert pantile("model", folder / "m.onnx", timeout=20).returncode == 0


def test_models_in_a_cache_of_huggingface_hub_are_read(tmp_path: Path) -> None:
    """All names of a model there are links, into a folder that has the files under the names of their hashes."""
    cache = tmp_path / "hub" / "models--some--net"
    snapshot, blobs = cache / "snapshots" / "abc" / "onnx", cache / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    (blobs / "bbb").write_bytes(np.full(9, 1 / 9, np.float32).tobytes())
    external(snapshot, "model.onnx_data").rename(blobs / "aaa")
    (snapshot / "model.onnx").symlink_to("../../../blobs/aaa")
    (snapshot / "model.onnx_data").symlink_to("../../../blobs/bbb")
    (cache / "snapshots" / "main").symlink_to("abc")
    # The same by a link to a model that has its weights beside it.
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "model.onnx_data").write_bytes((blobs / "bbb").read_bytes())
    external(tmp_path / "plain", "model.onnx_data")
    (tmp_path / "m.onnx").symlink_to("plain/m.onnx")
    for at, model in enumerate((snapshot / "model.onnx", cache / "snapshots/main/onnx/model.onnx", tmp_path / "m.onnx")):
        assert pantile("model", model, "--check").returncode == 0
        job = Job(tmp_path / str(at), model=model, image=Y, inputs=[PAGES / "small.png"]).write()
        run(job, tmp_path / str(at) / "out")
    assert len({digest(tmp_path / str(at) / "out") for at in range(3)}) == 1
    # What such a cache has not, a link does not reach.
    (tmp_path / "secret.bin").write_bytes((blobs / "bbb").read_bytes())
    (snapshot / "model.onnx_data").unlink()
    (snapshot / "model.onnx_data").symlink_to(tmp_path / "secret.bin")
    done = pantile("model", snapshot / "model.onnx")
    assert done.returncode == 2 and f"which is a link that leads to {tmp_path / 'secret.bin'}" in done.stderr, done.stderr


def test_models_of_any_size_and_depth_end_in_words(tmp_path: Path) -> None:
    def field(number: int, data: bytes) -> bytes:
        size, length = len(data), b""
        while size > 127:
            length += bytes([size & 127 | 128])
            size >>= 7
        return bytes([number << 3 | 2]) + length + bytes([size]) + data

    deep = b""
    for _ in range(500):
        deep = field(1, field(5, field(6, deep)))  # a graph in an attribute of a node of a graph
    (tmp_path / "deep.onnx").write_bytes(field(7, deep))
    (tmp_path / "claim.onnx").write_bytes(b"\x3a\xff\xff\xff\xff\x7f")
    with (tmp_path / "huge.onnx").open("wb") as file:
        file.truncate(1 << 40)
    for name, words in (("deep", "not an ONNX model"), ("claim", "not an ONNX model"), ("huge", "more than the 2147483647 allowed")):
        done = pantile("model", tmp_path / f"{name}.onnx", timeout=20)
        assert done.returncode == 2 and words in done.stderr, done.stderr


@pytest.mark.parametrize("name", ["lock", "journal", "run.yaml", "catalog.h5", "index.h5", "live.json"])
def test_the_files_of_a_run_folder_are_no_pipes_and_no_links_that_are_written_through(tmp_path: Path, name: str) -> None:
    job = Job(tmp_path, model=SHARPEN, image=Y, include=["small.png"]).write()
    run(job, tmp_path / "out")
    commands = [("status",), ("inspect",), ("verify",), ("why", "0")]
    path = tmp_path / "out" / name
    path.unlink()
    os.mkfifo(path)
    for command in commands:
        pantile(command[0], tmp_path / "out", *command[1:], timeout=20)
    pantile("run", job, "--output", tmp_path / "out", timeout=30)
    for target in ("precious", "new"):
        path.unlink(missing_ok=True)
        if target == "precious":
            (tmp_path / target).write_text("precious" * 10)
        path.symlink_to(tmp_path / target)
        for command in commands:
            pantile(command[0], tmp_path / "out", *command[1:], timeout=20)
        pantile("run", job, "--output", tmp_path / "out", timeout=30)
    assert (tmp_path / "precious").read_text() == "precious" * 10
    assert not (tmp_path / "new").exists()


def test_requests_of_anybody_do_not_end_a_run(tmp_path: Path) -> None:
    job = Job(tmp_path, model=SHARPEN, image=Y).write()
    control = tmp_path / "out" / "control"
    run(job, tmp_path / "out", "--set", "input.0.include=small.png")
    control.mkdir(exist_ok=True)
    os.mkfifo(control / "pipe.request")
    (control / "zero.request").symlink_to("/dev/zero")
    (control / "deep.request").write_text("[" * 1_000_000)
    with (control / "huge.request").open("wb") as file:
        file.truncate(1 << 40)
    done = pantile("run", job, "--output", tmp_path / "out", "--set", "input.0.include=small.png", timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["catalog.h5", "index.h5", "shards"])
def test_the_files_of_a_run_reach_into_no_others(tmp_path: Path, name: str) -> None:
    """Every column in turn becomes a link to a pipe."""
    job = Job(tmp_path, model=SHARPEN, image=Y, include=["small.png"]).write()
    run(job, tmp_path / "out")
    path = next((tmp_path / "out" / "shards").glob("*.h5")) if name == "shards" else tmp_path / "out" / name
    whole = path.read_bytes()
    os.mkfifo(tmp_path / "pipe.h5")
    columns: list[str] = []
    with h5py.File(path) as file:
        file.visititems(lambda column, what: columns.append(column) if isinstance(what, h5py.Dataset) else None)
    for at, column in enumerate(columns):
        with h5py.File(path, "r+") as file:
            del file[column]
            file[column] = h5py.ExternalLink(str(tmp_path / "pipe.h5"), "/x")
        for command in (("inspect",), ("verify",)) if at % 3 else (("inspect", "0"), ("verify",)):
            done = pantile(command[0], tmp_path / "out", *command[1:], timeout=20)
            assert done.returncode in (0, 1, 2, 4), (column, done.stderr)
        if name == "catalog.h5" and at % 4 == 0:
            pantile("run", job, "--output", tmp_path / "out", timeout=30)
        path.write_bytes(whole)
