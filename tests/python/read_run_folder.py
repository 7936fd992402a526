"""Reads a run folder with the examples of docs/output-format.md, and with nothing of ours.

usage: read_run_folder.py RUN EXPECTED    EXPECTED holds ITEM.raw: the values of each done item of the first output
"""

import pathlib
import re
import sys

import h5py
import numpy as np

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs" / "output-format.md"


def examples():
    """What the Python blocks of the page define. The digest needs xxhash, which may be missing."""
    names = {}
    for block in re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.S):
        try:
            exec(compile(block, str(DOCS), "exec"), names)
        except ModuleNotFoundError as missing:
            print(f"without {missing.name}, its example is left out")
    return names


def main(run, expected):
    page = examples()
    total = 0
    done = 0
    with h5py.File(run / "index.h5", "r") as index:
        count = int(index.attrs["items"])
        assert index.attrs["kind"] == b"pantile index"
        assert len(page["paths"](run)) == count
        for item in range(count):
            raw = expected / f"{item}.raw"
            if index["items/status"][item] != 1:
                assert not raw.exists()
                continue
            pixels = page["read_item"](run, item)
            assert pixels.tobytes() == raw.read_bytes(), f"item {item} differs"
            done += 1
            shape = tuple(int(index[f"items/{fact}"][item]) for fact in ("height", "width", "channels"))
            assert pixels.shape == shape
            if index["items/blocks"][item] > 1:
                joined = index[f"out/page/blocks/{item}"]
                assert joined.is_virtual and np.array_equal(joined[:], pixels), "the joined view differs"
            else:
                shard = index[f"shard/{index['items/shard'][item]:06}"]  # through the external link
                row = int(index["items/row"][item])
                assert int(shard["index/item"][row]) == item
                assert int(shard["out/page/offset"][row]) == int(index["items/offset"][item])
                assert shard["index/device_class"][row] == b"cpu:test"
            if "item_digest" in page:
                digest = page["item_digest"](item, 0, pixels)
                assert digest == int(index["items/digest_high"][item]) << 64 | int(index["items/digest_low"][item])
                total += digest
        assert done == int(index.attrs["done"]) and done == len(list(expected.iterdir()))
        if "item_digest" in page and int(index.attrs["quarantined"]) == 0:
            assert f"{total % 2**128:032x}" == index.attrs["digest"].decode()
    print(f"{done} items read by h5py {h5py.version.version} (HDF5 {h5py.version.hdf5_version})")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
