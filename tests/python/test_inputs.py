"""Inputs beyond folders: archives, lists and stacks give what a folder gives; broken ones are told; --rescan adds."""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import tarfile
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from runs import PAGES, Job, digest, pantile, run, verified
from test_failures import refused
from test_same_results import MPIRUN

SMALL = ["palette.png", "small-grey.jpg", "small.png", "turned.jpg"]


def folder_of_pages(folder: Path) -> Path:
    """Some small pages, some of them in a folder below whose name sorts between theirs."""
    for name in SMALL:
        target = folder / ("q-sub" if name.startswith("p") else ".") / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PAGES / name, target)
    return folder


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def zipped(folder: Path, archive: Path, method: int = zipfile.ZIP_DEFLATED) -> Path:
    """Packed in another order than that of the names, with what macOS adds."""
    with zipfile.ZipFile(archive, "w", method) as file:
        file.writestr("__MACOSX/._small.png", b"no image")
        for path in reversed(files_in(folder)):
            file.write(path, path.relative_to(folder))
    return archive


def tarred(folder: Path, archive: Path, format_: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.open(archive, "w", format=format_) as file:
        file.add(folder, arcname=".")
    return archive


def catalog_digest(output: Path) -> str:
    with h5py.File(output / "catalog.h5", "r") as file:
        return file.attrs["catalog_digest"].decode()


def quarantined(output: Path) -> dict[str, str]:
    if not (output / "quarantine.csv").exists():
        return {}
    with (output / "quarantine.csv").open() as file:
        return {row["path"]: row["reason"] for row in csv.DictReader(file)}


def test_a_folder_its_cbz_and_its_tar_are_the_same_run(tmp_path: Path) -> None:
    pages = folder_of_pages(tmp_path / "pages")
    inputs = [
        pages,
        zipped(pages, tmp_path / "deflated.cbz"),
        zipped(pages, tmp_path / "stored.zip", zipfile.ZIP_STORED),
        tarred(pages, tmp_path / "pax.tar"),
        tarred(pages, tmp_path / "gnu.tar", tarfile.GNU_FORMAT),
    ]
    digests = set()
    for at, where in enumerate(inputs):
        output = tmp_path / f"out{at}"
        run(Job(tmp_path / f"job{at}", inputs=[where]).write(), output, *(["--ranks", "2"] if at == 1 else []))
        digests.add((digest(output), catalog_digest(output)))
    assert len(digests) == 1


def test_globs_hold_for_members_and_several_inputs_make_one_run(tmp_path: Path) -> None:
    pages = folder_of_pages(tmp_path / "pages")
    inputs = [zipped(pages, tmp_path / "a.cbz"), tarred(pages, tmp_path / "b.tar"), pages / "small.png"]
    run(Job(tmp_path, inputs=inputs, include=["q-sub/*", "turned.*"]).write(), tmp_path / "out")
    report = verified(tmp_path / "out")
    assert (report["items"], report["done"]) == (5, 5)


def test_a_list_keeps_its_order_and_misses_nothing_in_silence(tmp_path: Path) -> None:
    pages = folder_of_pages(tmp_path / "pages")
    names = ["small.png", "missing.png", f"./{'q-sub'}/palette.png", str(pages / "turned.jpg")]
    (pages / "some.txt").write_text("# a comment\r\n\r\n" + "\r\n".join(names))
    run(Job(tmp_path, inputs=[pages / "some.txt"]).write(), tmp_path / "out", code=3)
    assert quarantined(tmp_path / "out") == {"missing.png": "unreadable"}
    with h5py.File(tmp_path / "out" / "index.h5", "r") as index:
        text, at = index["paths/bytes"][:].tobytes(), index["paths/offset"][:]
    assert [text[a:b].decode() for a, b in zip(at[:-1], at[1:])] == ["small.png", "missing.png", "q-sub/palette.png", "turned.jpg"]
    (pages / "some.txt").write_text("small.png\nturned.jpg\n./small.png\n")
    refused("run", Job(tmp_path, inputs=[pages / "some.txt"]).write(), "--fresh", words=["some.txt:3", "on line 1"])


@pytest.mark.parametrize(("shape", "dtype"), [("color", "u1"), ("grey", "u1"), ("color", "u2")])
def test_a_stack_is_a_run_of_its_rows(tmp_path: Path, shape: str, dtype: str) -> None:
    """The pixels of a row are those of an image of the same pixels; 16 bits are scaled as a 16-bit PNG's are."""
    row = np.asarray(Image.open(PAGES / "small.png").convert("RGB"))
    row = row if shape == "color" else np.ascontiguousarray(row[..., 0])
    rows = np.stack([row, row[::-1], row[:, ::-1]])
    stack = rows if dtype == "u1" else rows.astype("u2") * 257
    with h5py.File(tmp_path / "scans.h5", "w") as file:
        file.create_dataset("g/images", data=stack, chunks=True, compression="gzip")
    pages = tmp_path / "pages"
    pages.mkdir()
    for at, pixels in enumerate(rows):
        Image.fromarray(pixels).save(pages / f"{at:06}.png")
    run(Job(tmp_path / "a", inputs=[tmp_path / "scans.h5:/g/images"]).write(), tmp_path / "out")
    run(Job(tmp_path / "b", inputs=[pages]).write(), tmp_path / "same")
    assert digest(tmp_path / "out") == digest(tmp_path / "same")
    assert pantile("inspect", tmp_path / "out", "000002").returncode == 0


def bad_zip(path: Path) -> Path:
    """One good member; one with a wrong checksum; a bomb; an encrypted one; two of one name, the last of them good."""
    small = (PAGES / "small.png").read_bytes()
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("good.png", small)
        file.writestr("sum.png", small)
        file.writestr("bomb.png", small[:60] + bytes(300 << 20), zipfile.ZIP_DEFLATED)
        file.writestr("secret.png", small)
        file.writestr("../up.png", small)
        with pytest.warns(UserWarning, match="Duplicate"):
            file.writestr("twice.png", b"not this one")
            file.writestr("twice.png", small)
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as file:
        info = {entry.filename: entry for entry in file.infolist()}
    data[info["sum.png"].header_offset + 30 + len("sum.png") + info["sum.png"].file_size // 2] ^= 1
    data[info["secret.png"].header_offset + 6] |= 1
    entry = data.index(b"secret.png", info["twice.png"].header_offset) - 46
    data[entry + 8] |= 1
    path.write_bytes(data)
    return path


def test_bad_members_cost_one_item_each_and_nothing_escapes(tmp_path: Path) -> None:
    run(Job(tmp_path, inputs=[bad_zip(tmp_path / "bad.zip")]).write(), tmp_path / "out", code=3)
    assert quarantined(tmp_path / "out") == {"sum.png": "corrupt", "bomb.png": "too_large", "secret.png": "unsupported"}
    assert verified(tmp_path / "out")["done"] == 3
    assert pantile("export", tmp_path / "out", tmp_path / "deep" / "png").returncode == 0
    assert {path.name for path in (tmp_path / "deep" / "png").rglob("*.png")} == {"good.png", "up.png", "twice.png"}
    assert not list((tmp_path / "deep").glob("*.png")), "a member named ../up.png stays below the folder"


def test_tar_members_that_are_links_stand_for_what_they_name(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as file:
        file.add(PAGES / "small.png", arcname="d/small.png")
        for name, kind, target in (("hard.png", tarfile.LNKTYPE, "d/small.png"), ("d/soft.png", tarfile.SYMTYPE, "small.png"),
                                   ("out.png", tarfile.SYMTYPE, "/etc/passwd")):  # fmt: skip
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            file.addfile(info)
        info = tarfile.TarInfo("/absolute.png")
        info.size = (PAGES / "small.png").stat().st_size
        file.addfile(info, (PAGES / "small.png").open("rb"))
    job = Job(tmp_path, inputs=[tmp_path / "a.tar"]).write()
    run(job, tmp_path / "out", code=3)
    before = digest(tmp_path / "out")
    assert quarantined(tmp_path / "out") == {"out.png": "unreadable"}
    # What cannot be read is looked at again at the next start, and is what it was: it is part of the digest.
    run(job, tmp_path / "out", code=3)
    assert quarantined(tmp_path / "out") == {"out.png": "unreadable"}
    assert digest(tmp_path / "out") == before
    assert verified(tmp_path / "out")["done"] == 4
    assert pantile("export", tmp_path / "out", tmp_path / "png").returncode == 0
    assert (tmp_path / "png" / "absolute.png").exists()


def test_a_row_of_a_stack_is_no_file_and_has_no_limit_of_files(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["images"] = np.zeros((2, 64, 64, 3), "u1")
    job = Job(tmp_path, inputs=[Path(f"{tmp_path}/a.h5:/images")]).write()
    run(job, tmp_path / "out", "--set", "limits.max_file_size=1KiB")
    assert verified(tmp_path / "out")["done"] == 2


def test_a_list_that_was_moved_is_not_rescanned_into_doubles(tmp_path: Path) -> None:
    old = tmp_path / "old"
    pages = folder_of_pages(old / "pages")
    names = sorted(path for path in pages.rglob("*") if path.is_file())
    (old / "list.txt").write_text("".join(f"{path}\n" for path in names))
    job = Job(old, inputs=[Path("list.txt")]).write()
    run(job, old / "out")
    run(job, old / "out", "--rescan")
    shutil.copytree(old, tmp_path / "new")
    refused("run", tmp_path / "new" / "job.yaml", "--output", tmp_path / "new" / "out", "--rescan", words=["list.txt", "absolute paths"])
    assert verified(tmp_path / "new" / "out")["items"] == len(names)


def test_inputs_that_cannot_be_read_are_told_before_anything_starts(tmp_path: Path) -> None:
    pages = folder_of_pages(tmp_path / "pages")
    whole = tarred(pages, tmp_path / "whole.tar", tarfile.GNU_FORMAT).read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "cut.cbz").write_bytes(zipped(pages, tmp_path / "whole.zip").read_bytes()[:-30])
    (tmp_path / "not.tar").write_bytes(b"x" * 2000)
    (tmp_path / "sums.tar").write_bytes(whole[:600] + b"damage" + whole[606:-512] + bytes(512))
    with tarfile.open(tmp_path / "packed.tar.gz", "w:gz") as file:
        file.add(pages, arcname=".")
    shutil.copy(tmp_path / "packed.tar.gz", tmp_path / "disguised.tar")
    (tmp_path / "comic.cbr").write_bytes(b"Rar!")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["flat"] = np.zeros((4, 4), "u1")
        file["floats"] = np.zeros((2, 4, 4), "f4")
    for name, words in {
        "cut.tar": ["cut short"],
        "cut.cbz": ["zip", "cut short"],
        "not.tar": ["no tar archive"],
        "sums.tar": ["damaged at byte 512"],
        "packed.tar.gz": ["compressed", ".zip", "plain .tar"],
        "disguised.tar": ["compressed"],
        "comic.cbr": [".cbr archives are not read"],
        "a.h5": ["a.h5:/images"],
        "a.h5:/none": ["no such dataset", "/flat"],
        "a.h5:/flat": ["[4, 4]"],
        "a.h5:/floats": ["uint8"],
        "none.cbz": ["no such file"],
    }.items():
        refused("run", Job(tmp_path, inputs=[tmp_path / name]).write(), words=words)
        assert not (tmp_path / "out").exists(), name


def test_rescan_adds_what_is_new_and_leaves_the_rest(tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    for at in range(5):
        shutil.copy(PAGES / SMALL[at % 3], pages / f"m{at}{Path(SMALL[at % 3]).suffix}")
    job = Job(tmp_path, inputs=[pages]).write()
    run(job, tmp_path / "out")
    first, before = catalog_digest(tmp_path / "out"), {path.name: path.read_bytes() for path in (tmp_path / "out" / "shards").iterdir()}
    for name in ("a.png", "m2b.png", "z.png"):
        shutil.copy(PAGES / "small.png", pages / name)
    done = run(job, tmp_path / "out")
    assert verified(tmp_path / "out")["items"] == 5, "without the flag nobody looks"
    done = run(job, tmp_path / "out", "--rescan")
    assert "3 new files" in done.stderr
    report = verified(tmp_path / "out")
    assert (report["items"], report["done"]) == (8, 8)
    for name, data in before.items():
        assert (tmp_path / "out" / "shards" / name).read_bytes() == data
    with h5py.File(tmp_path / "out" / "index.h5", "r") as index:
        text, at = index["paths/bytes"][:].tobytes(), index["paths/offset"][:]
    names = [text[a:b].decode() for a, b in zip(at[:-1], at[1:])]
    assert names[5:] == ["a.png", "m2b.png", "z.png"] and names[:5] == sorted(names[:5])
    assert catalog_digest(tmp_path / "out") != first
    assert first in (tmp_path / "out" / "run.yaml").read_text(), "the identity stays that of the beginning"
    # It is settled: with and without the flag there is nothing to do, and the identity still holds.
    for flags in ([], ["--rescan"]):
        run(job, tmp_path / "out", *flags)
        assert verified(tmp_path / "out")["digest"] == report["digest"]
    refused("run", job, "--output", tmp_path / "out", "--set", "pipeline.stage.image.scale=1/127", words=["1/127"])


def test_a_crash_while_the_catalog_is_replaced_loses_nothing(tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    shutil.copy(PAGES / "small.png", pages / "b.png")
    job = Job(tmp_path, inputs=[pages]).write()
    run(job, tmp_path / "out")
    shutil.copytree(tmp_path / "out", tmp_path / "before")
    shutil.copy(PAGES / "palette.png", pages / "a.png")
    run(job, tmp_path / "out", "--rescan")
    report = verified(tmp_path / "out")
    assert report["items"] == 2
    # After the journal's record, before the renaming.
    shutil.copytree(tmp_path / "out", tmp_path / "after")
    (tmp_path / "after" / "catalog.h5").rename(tmp_path / "after" / "catalog.h5.next")
    shutil.copy(tmp_path / "before" / "catalog.h5", tmp_path / "after")
    assert verified(tmp_path / "after") == report
    run(job, tmp_path / "after")
    assert verified(tmp_path / "after") == report
    assert not (tmp_path / "after" / "catalog.h5.next").exists()
    # Before the journal's record: the new catalog never was.
    shutil.copy(tmp_path / "out" / "catalog.h5", tmp_path / "before" / "catalog.h5.next")
    run(job, tmp_path / "before")
    assert verified(tmp_path / "before")["items"] == 1
    assert not (tmp_path / "before" / "catalog.h5.next").exists()
    # A catalog that no record names is not taken for the run's.
    shutil.copy(tmp_path / "out" / "catalog.h5", tmp_path / "before")
    refused("run", job, "--output", tmp_path / "before", code=1, words=["not the catalog that the journal names"])


def test_rescan_keeps_what_is_gone_and_refuses_a_changed_archive(tmp_path: Path) -> None:
    pages = folder_of_pages(tmp_path / "pages")
    job = Job(tmp_path, inputs=[pages, zipped(pages, tmp_path / "a.cbz")]).write()
    run(job, tmp_path / "out")
    report = verified(tmp_path / "out")
    (pages / "small.png").unlink()
    run(job, tmp_path / "out", "--rescan")
    assert verified(tmp_path / "out") == report
    shutil.copy(PAGES / "page-06.png", pages / "more.png")
    zipped(pages, tmp_path / "a.cbz")
    refused("run", job, "--output", tmp_path / "out", "--rescan", words=["a.cbz has changed"])
    assert verified(tmp_path / "out") == report
    run(job, tmp_path / "out")  # what is done needs its input no more


def test_an_archive_that_changed_is_refused_while_items_of_it_are_pending(tmp_path: Path) -> None:
    pages = folder_of_pages(tmp_path / "pages")
    archive = zipped(pages, tmp_path / "a.cbz")
    job = Job(tmp_path, inputs=[archive]).write()
    # Nothing is done: the cap is too small, which is found out when the run folder stands.
    refused("run", job, "--set", "devices.memory.cap=20MiB", words=["cap"])
    whole = archive.read_bytes()
    shutil.copy(PAGES / "page-06.png", pages / "more.png")
    zipped(pages, archive)
    refused("run", job, words=["a.cbz", "has changed", "--fresh"])
    archive.write_bytes(whole)
    run(job, tmp_path / "out")
    assert verified(tmp_path / "out")["done"] == 4


def test_a_file_that_could_not_be_read_is_tried_again_at_the_next_start(tmp_path: Path) -> None:
    pages = folder_of_pages(tmp_path / "pages")
    (pages / "late.png").symlink_to(tmp_path / "mount" / "late.png")
    job = Job(tmp_path, inputs=[pages]).write()
    run(job, tmp_path / "out", code=3)
    assert quarantined(tmp_path / "out") == {"late.png": "unreadable"}
    run(job, tmp_path / "out", code=3)
    (tmp_path / "mount").mkdir()
    shutil.copy(PAGES / "page-06.png", tmp_path / "mount" / "late.png")
    assert "could not be read before" in run(job, tmp_path / "out").stderr
    assert (verified(tmp_path / "out")["done"], quarantined(tmp_path / "out")) == (5, {})
    # The same as a run that could read it from the start.
    run(job, tmp_path / "whole")
    assert digest(tmp_path / "out") == digest(tmp_path / "whole")


def many_files(folder: Path, count: int) -> Path:
    """Tiny images, most of them links to a few, some of them broken."""
    (folder / "real").mkdir(parents=True)
    for side in range(1, 12):
        data = io.BytesIO()
        Image.new("L", (side, 13 - side)).save(data, "png")
        (folder / "real" / f"{side:02}.png").write_bytes(data.getvalue())
    (folder / "real" / "bad.png").write_bytes(b"no image")
    kinds = files_in(folder / "real")
    for at in range(count):
        os.link(kinds[at % len(kinds)], folder / f"{at:05}.png")
    os.symlink("nowhere", folder / "gone.png")
    return folder


def test_headers_are_read_by_all_ranks_and_the_catalog_is_the_same(tmp_path: Path) -> None:
    """`pantile run` with a cap that is too small ends once the catalog stands: only that is looked at here."""
    pages = many_files(tmp_path / "pages", 9000)
    job = Job(tmp_path, inputs=[pages]).write()
    digests = set()
    for ranks in (1, 2, 4):
        output = tmp_path / f"out{ranks}"
        done = run(job, output, "--set", "devices.memory.cap=20MiB", code=2, launcher=(*MPIRUN, str(ranks)))
        digests.add(catalog_digest(output))
        if ranks > 1:
            assert re.search(r"headers of 9013 items are read", done.stderr), done.stderr
    assert len(digests) == 1
