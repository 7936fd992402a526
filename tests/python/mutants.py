"""Files that somebody damaged, or made to harm: seeds of every format that is read, and changes of them, by number.

A change is of one kind. `cut`: the file ends early. `flip`: a bit is another one. `lie`: a field that says how much there is, or where, says
something else; checksums of headers are made right again, so that the lie is believed as far as possible. The same number gives the same
mutant everywhere.
"""

from __future__ import annotations

import io
import random
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
from PIL import Image
from pictures import write_interlaced_png

HEIGHT, WIDTH = 44, 52


@dataclass(frozen=True)
class Field:
    """A number in a file: `size` bytes at `at`."""

    at: int
    size: int
    order: str = ">"

    def read(self, file: bytes) -> int:
        return int.from_bytes(file[self.at : self.at + self.size], "big" if self.order == ">" else "little")

    def write(self, file: bytearray, value: int) -> None:
        value &= (1 << 8 * self.size) - 1
        file[self.at : self.at + self.size] = value.to_bytes(self.size, "big" if self.order == ">" else "little")


@dataclass(frozen=True)
class Mutant:
    kind: str  # cut, flip, lie
    at: int
    data: bytes


@dataclass
class Seed:
    """A good file. `mend` puts right the checksums of headers after a lie."""

    name: str
    ending: str
    data: bytes
    fields: list[Field] = field(default_factory=list)
    mend: Callable[[bytearray], None] | None = None

    def mutants(self, count: int, seed: int) -> Iterator[Mutant]:
        dice = random.Random(f"{self.name} {seed}")
        kinds = ("cut", "flip", "lie") if self.fields else ("cut", "flip")
        for number in range(count):
            yield getattr(self, "_" + kinds[number % len(kinds)])(dice)

    def _cut(self, dice: random.Random) -> Mutant:
        # Half of them near the end, where it is decided whether a few bytes are missed.
        length = len(self.data)
        at = dice.randrange(length) if dice.random() < 0.5 else max(0, length - 1 - int(dice.expovariate(1 / 40)))
        return Mutant("cut", at, self.data[:at])

    def _flip(self, dice: random.Random) -> Mutant:
        changed = bytearray(self.data)
        at = dice.randrange(len(changed))
        changed[at] ^= 1 << dice.randrange(8)
        return Mutant("flip", at, bytes(changed))

    def _lie(self, dice: random.Random) -> Mutant:
        changed = bytearray(self.data)
        one = dice.choice(self.fields)
        true = one.read(changed)
        most = (1 << 8 * one.size) - 1
        lies = [0, 1, most, most - 1, most >> 1, (most >> 1) + 1, true + 1, true - 1, true * 2, true // 2, true + 4096, len(changed), dice.randrange(most + 1)]
        one.write(changed, dice.choice([lie for lie in lies if lie & most != true]))
        if self.mend is not None:
            self.mend(changed)
        return Mutant("lie", one.at, bytes(changed))


def drawn(mode: str) -> Image.Image:
    """Shades with noise: nothing repeats, and every pixel counts."""
    y, x, c = np.mgrid[0:HEIGHT, 0:WIDTH, 0 : max(1, len(mode) if mode != "P" else 3)]
    values = ((y * 4 + x * 3 + c * 60 + np.random.default_rng(7).integers(0, 30, y.shape)) % 256).astype(np.uint8)
    if mode == "1":
        return Image.fromarray(values[:, :, 0]).convert("1")
    if mode == "P":
        return Image.fromarray(values).quantize(64)
    return Image.fromarray(values[:, :, 0] if mode == "L" else values, mode)


def saved(mode: str, format_: str, **options: object) -> bytes:
    file = io.BytesIO()
    drawn(mode).save(file, format_, **options)
    return file.getvalue()


def png(name: str, data: bytes) -> Seed:
    fields, at = [], 8
    chunks = []
    while at < len(data):
        length = struct.unpack_from(">I", data, at)[0]
        chunks.append((at, length))
        fields.append(Field(at, 4))
        at += 12 + length
    head = [Field(16, 4), Field(20, 4), *(Field(place, 1) for place in range(24, 29))]

    def mend(file: bytearray) -> None:
        file[29:33] = struct.pack(">I", zlib.crc32(file[12:29]))

    return Seed(name, "png", data, fields + head * 2, mend)


def jpeg(name: str, data: bytes) -> Seed:
    fields, at = [], 2
    while data[at + 1] != 0xDA:
        length = struct.unpack_from(">H", data, at + 2)[0]
        fields.append(Field(at + 2, 2))
        if data[at + 1] in (0xC0, 0xC1, 0xC2):
            fields += [Field(at + 5, 2), Field(at + 7, 2), *(Field(at + place, 1) for place in (4, 9, 10, 11, 12, 13))]
        elif data[at + 1] in (0xC4, 0xDB):
            fields += [Field(at + place, 1) for place in range(4, 21)]
        at += 2 + length
    fields += [Field(at + 2, 2), *(Field(at + place, 1) for place in range(4, 12))]
    return Seed(name, "jpg", data, fields)


def webp(name: str, data: bytes) -> Seed:
    fields, at = [Field(4, 4, "<")], 12
    while at + 8 <= len(data):
        fields.append(Field(at + 4, 4, "<"))
        fields += [Field(at + 8 + place, 2, "<") for place in (0, 2, 4, 6, 8)]
        at += 8 + (struct.unpack_from("<I", data, at + 4)[0] + 1) // 2 * 2
    return Seed(name, "webp", data, fields)


def tiff(name: str, data: bytes) -> Seed:
    fields, at = [Field(4, 4, "<")], struct.unpack_from("<I", data, 4)[0]
    count = struct.unpack_from("<H", data, at)[0]
    fields.append(Field(at, 2, "<"))
    for entry in range(count):
        begin = at + 2 + 12 * entry
        fields += [Field(begin, 2, "<"), Field(begin + 2, 2, "<"), Field(begin + 4, 4, "<"), Field(begin + 8, 4, "<")]
    return Seed(name, "tif", data, fields)


def gif(data: bytes) -> Seed:
    image = data.index(b",", 13 + 3 * 2 ** ((data[10] & 7) + 1))
    fields = [Field(6, 2, "<"), Field(8, 2, "<"), Field(10, 1), *(Field(image + 1 + 2 * i, 2, "<") for i in range(4)), Field(image + 9, 1)]
    at = image + 10
    fields.append(Field(at, 1))
    at += 1
    while data[at]:
        fields.append(Field(at, 1))
        at += data[at] + 1
    return Seed("GIF", "gif", data, fields)


def words(name: str, ending: str, data: bytes, places: list[tuple[int, int]], order: str) -> Seed:
    return Seed(name, ending, data, [Field(at, size, order) for at, size in places])


def numbers_in_text(name: str, ending: str, data: bytes, header: int) -> Seed:
    """Digits of a header of text: a lie is another byte there."""
    return Seed(name, ending, data, [Field(at, 1) for at in range(2, header) if chr(data[at]).isdigit()])


def jpeg2000(name: str, ending: str, data: bytes) -> Seed:
    begin = data.index(b"\xff\x4f\xff\x51")
    fields = [Field(begin + 4, 2), *(Field(begin + 8 + 4 * i, 4) for i in range(8)), Field(begin + 40, 2)]
    for marker, places in ((b"\xff\x52", [(2, 2), (5, 1), (6, 2), (9, 1), (10, 1), (11, 1)]), (b"\xff\x90", [(2, 2), (4, 2), (6, 4), (10, 1), (11, 1)])):
        at = data.index(marker, begin)
        fields += [Field(at + place, size) for place, size in places]
    if begin:
        fields += [Field(at, 4) for at in (0, 12, data.index(b"jp2h") - 4, data.index(b"ihdr") - 4, data.index(b"ihdr") + 4, data.index(b"jp2c") - 4)]
    return Seed(name, ending, data, fields)


def images() -> list[Seed]:
    """One or more of every format in docs/formats.md, small."""
    pixels = np.asarray(drawn("RGB"))
    grey = np.asarray(drawn("L"))
    text = b"P3\n%d %d\n255\n" % (WIDTH, HEIGHT) + b"\n".join(b" ".join(b"%d" % value for value in row) for row in pixels.reshape(HEIGHT, -1)) + b"\n"
    ppm = saved("RGB", "ppm")
    pam = b"P7\nWIDTH %d\nHEIGHT %d\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\n" % (WIDTH, HEIGHT) + pixels.tobytes()
    ras = struct.pack(">8I", 0x59A66A95, WIDTH, HEIGHT, 24, pixels.size, 1, 0, 0) + pixels.tobytes()
    bmp_words = [(2, 4), (10, 4), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2), (30, 4), (34, 4), (46, 4)]
    with tempfile.TemporaryDirectory() as folder:
        write_interlaced_png(Path(folder, "interlaced.png"), grey)
        interlaced = Path(folder, "interlaced.png").read_bytes()
    tiffs = [
        tiff(f"TIFF {name}", saved(mode, "tiff", **options))
        for name, mode, options in (
            ("not compressed", "RGB", {}),
            ("LZW", "RGB", {"compression": "tiff_lzw"}),
            ("deflate", "RGB", {"compression": "tiff_adobe_deflate"}),
            ("PackBits", "RGB", {"compression": "packbits"}),
            ("JPEG", "RGB", {"compression": "jpeg"}),
            ("LZMA", "RGB", {"compression": "lzma"}),
            ("Zstandard", "RGB", {"compression": "zstd"}),
            ("CCITT", "1", {"compression": "group4"}),
        )
    ]
    return [
        jpeg("JPEG baseline", saved("RGB", "jpeg", quality=85)),
        jpeg("JPEG progressive", saved("RGB", "jpeg", quality=85, progressive=True)),
        png("PNG", saved("RGB", "png")),
        png("PNG interlaced", interlaced),
        webp("WebP lossy", saved("RGB", "webp", quality=80)),
        webp("WebP lossless", saved("RGBA", "webp", lossless=True)),
        *tiffs,
        gif(saved("P", "gif")),
        words("BMP", "bmp", saved("RGB", "bmp"), bmp_words, "<"),
        numbers_in_text("PPM raw", "ppm", ppm, ppm.index(b"255") + 3),
        numbers_in_text("PPM text", "ppm", text, 15),
        numbers_in_text("PAM", "pam", pam, pam.index(b"ENDHDR")),
        words("Sun raster", "ras", ras, [(4 * i, 4) for i in range(8)], ">"),
        jpeg2000("JPEG 2000 JP2", "jp2", saved("RGB", "jpeg2000")),
        jpeg2000("JPEG 2000 codestream", "j2k", saved("RGB", "jpeg2000", no_jp2=True)),
    ]


MEMBERS = ("a.bmp", "b.png", "sub/c.bmp")


def member(name: str) -> bytes:
    return saved("RGB", "bmp" if name.endswith("bmp") else "png")


def tar() -> Seed:
    file = io.BytesIO()
    heads = []
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name in MEMBERS:
            data = member(name)
            info = tarfile.TarInfo(name)
            info.size = len(data)
            heads.append(file.tell())
            archive.addfile(info, io.BytesIO(data))

    def mend(changed: bytearray) -> None:
        for head in heads:
            changed[head + 148 : head + 156] = b" " * 8
            changed[head + 148 : head + 156] = b"%06o\0 " % sum(changed[head : head + 512])

    fields = [Field(head + at, 1) for head in heads for at in (*range(124, 136), 156, 157, 257, 345)]
    return Seed("tar", "tar", file.getvalue(), fields, mend)


def zip_() -> Seed:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in MEMBERS:
            archive.writestr(zipfile.ZipInfo(name), member(name), zipfile.ZIP_DEFLATED)
    data = file.getvalue()
    fields, at = [], 0
    while (at := data.find(b"PK\1\2", at)) >= 0:
        fields += [Field(at + place, size, "<") for place, size in ((8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (32, 2), (42, 4))]
        at += 4
    end = data.rindex(b"PK\5\6")
    fields += [Field(end + place, size, "<") for place, size in ((4, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 2))]
    local = data.index(b"PK\3\4")
    fields += [Field(local + place, size, "<") for place, size in ((6, 2), (8, 2), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2))]
    return Seed("zip", "zip", data, fields)


def stack(checked: bool) -> Seed:
    file = io.BytesIO()
    with h5py.File(file, "w") as hdf5:
        rows = np.stack([np.asarray(drawn("RGB")), np.asarray(drawn("RGB"))[::-1]])
        packing = {"chunks": (1, HEIGHT, WIDTH, 3), "compression": "gzip", "fletcher32": True} if checked else {}
        hdf5.create_dataset("images", data=rows, **packing)
    data = file.getvalue()
    # The first 2 KiB hold the superblock, the group and the header of the dataset: numbers of 8 bytes, at places of 8.
    fields = [Field(at, size, "<") for at in range(8, 2048, 8) for size in (2, 4, 8) if any(data[at : at + 8])]
    return Seed("HDF5 stack, deflate and Fletcher-32" if checked else "HDF5 stack", "h5", data, fields)


def model(path: Path) -> Seed:
    data = path.read_bytes()
    return Seed("ONNX model", "onnx", data, [Field(at, size, "<") for at in range(2, len(data) - 8) for size in (1, 4)])
