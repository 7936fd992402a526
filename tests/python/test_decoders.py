"""Pantile's pixels are those that Pillow sees, in every format and flavour that both read; and OpenCV stays outside the program."""

from __future__ import annotations

import os
import re
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps
from runs import BINARY

FOLDER = Path(os.environ.get("PANTILE_BINARY_DIR", BINARY.parent))
DECODER = FOLDER / "tests" / "decode_to_file"
HEIGHT, WIDTH = 45, 67

Pixels = NDArray[np.integer]


def noise(channels: int, dtype: type = np.uint8) -> Pixels:
    """Shades with noise: nothing repeats, and a codec with losses has something to lose."""
    y, x, c = np.mgrid[0:HEIGHT, 0:WIDTH, 0:channels]
    values = (y * 3 + x * 2 + c * 60 + np.random.default_rng(7).integers(0, 40, y.shape)) % 256
    scaled = values * 257 + (y + x) % 50 if dtype == np.uint16 else values
    return scaled.astype(dtype)


def picture(mode: str) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(noise(1, np.uint16)[:, :, 0])
    if mode == "1":
        return Image.fromarray(noise(1)[:, :, 0]).convert("1")
    if mode == "P":
        return Image.fromarray(noise(3)).quantize(200)
    return Image.fromarray(noise(len(mode))[:, :, 0] if mode == "L" else noise(len(mode)), mode)


def seen_by_pantile(path: Path, *part: int) -> Pixels:
    done = subprocess.run(
        [DECODER, path, path.with_suffix(".raw"), *map(str, part)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PANTILE_IMGCODECS_LIB": str(FOLDER / "libpantile_imgcodecs.so")},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    height, width, channels, bits = map(int, done.stdout.split())
    raw = np.fromfile(path.with_suffix(".raw"), np.uint16 if bits == 16 else np.uint8)
    return raw.reshape(height, width, channels)


def seen_by_pillow(path: Path, channels: int) -> Pixels:
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image)
        if upright.mode.startswith("I"):
            return np.asarray(upright).astype(np.uint16)[:, :, None]
        mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels]
        return np.asarray(upright.convert(mode)).reshape(upright.height, upright.width, channels)


def expect_same(path: Path, channels: int) -> None:
    ours = seen_by_pantile(path)
    assert ours.shape[2] == channels
    np.testing.assert_array_equal(ours, seen_by_pillow(path, channels), strict=True)


CHANNELS = {"1": 1, "L": 1, "I;16": 1, "LA": 2, "P": 3, "RGB": 3, "CMYK": 3, "RGBA": 4}

SAVED = [
    *[("png", mode, {}) for mode in ("1", "L", "I;16", "LA", "P", "RGB", "RGBA")],
    *[("bmp", mode, {}) for mode in ("P", "RGB")],
    *[("ppm", mode, {}) for mode in ("1", "L", "I;16", "RGB")],
    *[("jpg", mode, {"quality": 80}) for mode in ("L", "RGB", "CMYK")],
    *[("jpg", "RGB", {"subsampling": sampling, "progressive": sampling == 1}) for sampling in (0, 1, 2)],
    *[("webp", mode, {"lossless": lossless, "exact": True}) for mode in ("RGB", "RGBA") for lossless in (False, True)],
    *[("gif", "P", {"interlace": interlace}) for interlace in (0, 1)],
    *[(ending, mode, {"irreversible": False}) for ending in ("jp2", "j2k") for mode in ("L", "RGB", "RGBA", "I;16")],
    *[("jp2", "RGB", {"irreversible": True, "quality_layers": [20]}), ("jp2", "RGB", {"tile_size": (32, 32)})],
    *[("tif", mode, {}) for mode in ("1", "L", "I;16", "LA", "P", "RGB", "RGBA", "CMYK")],
    *[
        ("tif", mode, {"compression": compression})
        for mode in ("L", "I;16", "P", "RGB", "RGBA", "CMYK")
        for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd", "lzma")
    ],
    *[("tif", "1", {"compression": compression}) for compression in ("group3", "group4", "tiff_ccitt", "packbits")],
    *[("tif", mode, {"compression": "jpeg"}) for mode in ("L", "RGB", "CMYK")],
    ("tif", "RGB", {"big_tiff": True}),
    ("tif", "RGBA", {"tiffinfo": {338: 1}}),  # an alpha that the colours were multiplied with
    ("tif", "RGBA", {"tiffinfo": {338: 2}, "compression": "tiff_lzw"}),
]


@pytest.mark.parametrize(("ending", "mode", "options"), SAVED, ids=lambda value: str(value).replace(" ", ""))
def test_what_pillow_writes_is_what_we_read(tmp_path: Path, ending: str, mode: str, options: dict) -> None:
    path = tmp_path / f"picture.{ending}"
    picture(mode).save(path, **options)
    expect_same(path, 3 if ending == "bmp" else CHANNELS[mode])


@pytest.mark.parametrize("mode", ["1", "L"])
def test_bitmaps_come_as_colours(tmp_path: Path, mode: str) -> None:
    picture(mode).save(tmp_path / "picture.bmp")
    expect_same(tmp_path / "picture.bmp", 3)


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(tmp_path: Path, ending: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"picture.{ending}"
    picture("RGB").save(path, exif=exif, **({"lossless": True} if ending == "webp" else {}))
    expect_same(path, 3)


@pytest.mark.parametrize(("mode", "transparency"), [("P", 5), ("L", 100), ("RGB", (10, 20, 30))])
def test_a_transparent_colour_of_a_png_becomes_alpha(tmp_path: Path, mode: str, transparency: object) -> None:
    path = tmp_path / "picture.png"
    picture(mode).save(path, transparency=transparency)
    expect_same(path, 2 if mode == "L" else 4)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_palettes_of_few_bits(tmp_path: Path, bits: int) -> None:
    few = picture("RGB").quantize(1 << bits)
    few.save(tmp_path / "picture.png", bits=bits)
    expect_same(tmp_path / "picture.png", 3)
    path = tmp_path / "picture.gif"
    few.save(path, transparency=0, optimize=False)
    expect_same(path, 4)


def animation() -> list[Image.Image]:
    frames = [picture("RGBA") for _ in range(3)]
    for frame in frames[1:]:
        frame.paste((255, 0, 0, 255), (5, 5, 30, 30))
    return frames


@pytest.mark.parametrize(("ending", "options"), [("gif", {}), ("webp", {"lossless": True}), ("webp", {"quality": 70})])
def test_the_first_picture_of_an_animation_is_read(tmp_path: Path, ending: str, options: dict) -> None:
    frames = animation()
    path = tmp_path / f"picture.{ending}"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100, **options)
    with Image.open(path) as image:
        assert image.n_frames > 1
        channels = 4 if ending == "webp" or "transparency" in image.info else 3
    expect_same(path, channels)


def tiff_of(tags: dict[int, tuple[int, list[int]]], data: bytes, order: str = "<", big: bool = False) -> bytes:
    """A TIFF by hand, of one strip, whose directory comes last. Tags: number → (type, values); 3 is SHORT, 4 is LONG."""
    sizes = {3: (2, "H"), 4: (4, "I")}
    start = (b"II" if order == "<" else b"MM") + (struct.pack(order + "HHHQ", 43, 8, 0, 0) if big else struct.pack(order + "HI", 42, 0))
    body = bytearray(start + data + b"\0" * (-(len(start) + len(data)) % 8))
    all_tags = {**tags, 273: (4, [len(start)]), 279: (4, [len(data)])}
    room = 8 if big else 4
    entries = b""
    for tag in sorted(all_tags):
        kind, values = all_tags[tag]
        packed = struct.pack(order + f"{len(values)}{sizes[kind][1]}", *values)
        if len(packed) > room:
            place = struct.pack(order + ("Q" if big else "I"), len(body))
            body += packed + b"\0" * (-len(packed) % 8)
            packed = place
        entries += struct.pack(order + ("HHQ" if big else "HHI"), tag, kind, len(values)) + packed.ljust(room, b"\0")
    at = len(body)
    body += struct.pack(order + ("Q" if big else "H"), len(all_tags)) + entries + b"\0" * room
    body[8 if big else 4 : 16 if big else 8] = struct.pack(order + ("Q" if big else "I"), at)
    return bytes(body)


def packed_bits(values: Pixels, bits: int) -> bytes:
    """Rows of samples of 1, 2 or 4 bits, each row from a new byte on."""
    planes = [(values >> (bits - 1 - bit)) & 1 for bit in range(bits)]
    return np.packbits(np.stack(planes, axis=2).reshape(values.shape[0], -1).astype(np.uint8), axis=1).tobytes()


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("photometric", [0, 1])
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_grey_tiff_of_every_depth(tmp_path: Path, bits: int, photometric: int, order: str, big: bool) -> None:
    samples = noise(1, np.uint16)[:, :, 0] >> (16 - bits)
    data = samples.astype(order + "u2").tobytes() if bits == 16 else samples.astype(np.uint8).tobytes() if bits == 8 else packed_bits(samples, bits)
    tags = {256: (4, [WIDTH]), 257: (4, [HEIGHT]), 258: (3, [bits]), 259: (3, [1]), 262: (3, [photometric]), 277: (3, [1])}
    path = tmp_path / "picture.tif"
    path.write_bytes(tiff_of(tags, data, order, big))
    white = (1 << bits) - 1
    expected = (samples if photometric == 1 else white - samples).astype(np.int64) * ((65535 if bits == 16 else 255) // white)
    np.testing.assert_array_equal(seen_by_pantile(path)[:, :, 0], expected)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("scale", [1, 257])
def test_palette_tiff_of_every_depth(tmp_path: Path, bits: int, scale: int) -> None:
    """scale 1: a map of 8-bit colours where 16 bits belong, as some programs write it; libtiff's own tools see through it."""
    samples = noise(1)[:, :, 0] >> (8 - bits)
    colours = np.random.default_rng(3).integers(0, 256, (3, 1 << bits))
    data = samples.tobytes() if bits == 8 else packed_bits(samples, bits)
    tags = {256: (4, [WIDTH]), 257: (4, [HEIGHT]), 258: (3, [bits]), 259: (3, [1]), 262: (3, [3]), 277: (3, [1])}
    tags[320] = (3, [int(value) * scale for value in colours.ravel()])
    path = tmp_path / "picture.tif"
    path.write_bytes(tiff_of(tags, data))
    np.testing.assert_array_equal(seen_by_pantile(path), colours.T[samples])


@pytest.mark.parametrize("maxval", [1, 15, 31, 255, 1023, 65535])
@pytest.mark.parametrize("kind", [b"P2", b"P3", b"P5", b"P6"])
def test_pnm_of_every_largest_value(tmp_path: Path, kind: bytes, maxval: int) -> None:
    channels = 3 if kind in (b"P3", b"P6") else 1
    samples = (noise(channels, np.uint16).astype(np.int64) * maxval) // 65535
    header = kind + f"\n# a comment\n{WIDTH} {HEIGHT}\n{maxval}\n".encode()
    text = b"\n".join(b"%d" % value for value in samples.ravel())
    raw = samples.astype(np.uint8 if maxval < 256 else ">u2").tobytes()
    path = tmp_path / "picture.pnm"
    path.write_bytes(header + (text if kind in (b"P2", b"P3") else raw))
    white = 255 if maxval < 256 else 65535
    np.testing.assert_array_equal(seen_by_pantile(path), (samples * white * 2 + maxval) // (2 * maxval))


def bitmap(bits: int, compression: int, pixels: bytes, after_header: bytes = b"", header_bytes: int = 40, height: int = HEIGHT) -> bytes:
    at = 54 + len(after_header)
    file = struct.pack("<HIII", 0x4D42, at + len(pixels), 0, at)
    file += struct.pack("<IiiHHIIiiII", header_bytes, WIDTH, height, 1, bits, compression, len(pixels), 0, 0, 0, 0)
    return file + after_header + pixels


def test_bitmaps_of_every_kind(tmp_path: Path) -> None:
    words = noise(2)[:, :, :2].copy().view(np.uint16)[:, :, 0]
    words = np.pad(words, ((0, 0), (0, WIDTH % 2)))
    quads = noise(4).tobytes()
    masks565, masks888 = struct.pack("<III", 0xF800, 0x07E0, 0x001F), struct.pack("<III", 0xFF0000, 0xFF00, 0xFF)
    runs = b"".join(bytes([WIDTH - 20, y, 0, 20]) + bytes((y * x) % 256 for x in range(20)) + b"\0\0" for y in range(HEIGHT)) + b"\0\1"
    colours = bytes(np.random.default_rng(5).integers(0, 256, 1024, dtype=np.uint8))
    kinds = {
        "555": (bitmap(16, 0, words.tobytes()), 3),
        "565": (bitmap(16, 3, words.tobytes(), masks565), 3),
        "888x": (bitmap(32, 0, quads), 3),
        "888x-down": (bitmap(32, 0, quads, height=-HEIGHT), 3),
        "888-masks": (bitmap(32, 3, quads, masks888), 3),
        "8888": (bitmap(32, 3, quads, masks888 + struct.pack("<I", 0xFF000000) + b"BGRs" + b"\0" * 48, 108), 4),
        "runs": (bitmap(8, 1, runs, colours), 3),
    }
    for kind, (file, channels) in kinds.items():
        path = tmp_path / f"{kind}.bmp"
        path.write_bytes(file)
        expect_same(path, channels)


@pytest.mark.parametrize("depth", [8, 24])
def test_sun_raster(tmp_path: Path, depth: int) -> None:
    rows = noise(depth // 8)
    padded = np.pad(rows.reshape(HEIGHT, -1), ((0, 0), (0, rows[0].size % 2)))
    colours = bytes(range(256)) * 3 if depth == 8 else b""
    header = struct.pack(">8I", 0x59A66A95, WIDTH, HEIGHT, depth, padded.size, 1, 1 if colours else 0, len(colours))
    path = tmp_path / "picture.ras"
    path.write_bytes(header + colours + padded.tobytes())
    expect_same(path, 3)


def test_a_region_is_that_part_of_the_image(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "picture.tif"
    picture("RGB").save(path, exif=exif, tiffinfo={278: 4}, compression="tiff_lzw")
    all_of_it = seen_by_pillow(path, 3)
    np.testing.assert_array_equal(seen_by_pantile(path, 20, 7, 11, 30), all_of_it[20:31, 7:37])


def libraries_of(program: Path, read: Callable[[list[str]], str]) -> list[str]:
    return re.findall(r"\(NEEDED\).*\[(.+?)\]", read(["readelf", "-d", str(program)]))


def test_the_program_does_not_link_opencv() -> None:
    """It would cost every start 85 to 130 ms. The module does: the search would find it."""

    def read(command: list[str]) -> str:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert not [name for name in libraries_of(BINARY, read) if "opencv" in name]
    assert [name for name in libraries_of(FOLDER / "libpantile_imgcodecs.so", read) if "opencv" in name]
    # Nor does any library that it links.
    assert "opencv" not in read(["ldd", str(BINARY)])
