#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets: small inputs of every kind, all of our own making.

    make_corpus.py [--programs FOLDER] [OUT]

OUT is tests/fuzz/corpus by default. Files that are there and not made here (regressions, finds of libFuzzer) stay. Journals and
messages come from the program fuzz_seeds in FOLDER (build/release/tests/fuzz): `cmake --build --preset release -t fuzz_seeds`. Needs Pillow, numpy
and onnx: `.venv`. Pictures are the same with the same Pillow; other versions give other seeds, which are as good.
"""

from __future__ import annotations

import argparse
import io
import pathlib
import re
import struct
import subprocess
import tarfile
import zipfile
import zlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

TREE = pathlib.Path(__file__).resolve().parents[2]
ENTRY_TIME = (2026, 1, 31, 12, 0, 0)


# --- pictures ----------------------------------------------------------------------------------------------------------------


def drawing(height: int = 21, width: int = 27) -> Image.Image:
    """An RGBA picture with a gradient, a disc, noise and transparent pixels."""
    y, x = np.mgrid[0:height, 0:width]
    noise = np.random.default_rng(7).integers(0, 12, (height, width))
    disc = (y - height / 2) ** 2 + (x - width / 2) ** 2 < (height / 3) ** 2
    red = np.where(disc, 220, 8 * x + noise)
    green = np.where(disc, 40, 9 * y + noise)
    alpha = np.where((x + y) % 11 == 0, 0, 255)
    return Image.fromarray(np.stack([red, green, 255 - red, alpha], -1).clip(0, 255).astype(np.uint8), "RGBA")


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    """The picture as a file."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    """One of PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def interlaced_png() -> bytes:
    """Adam7, which Pillow reads only."""
    grey = np.asarray(drawing().convert("L"))
    rows = b""
    for y0, x0, dy, dx in ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)):
        rows += b"".join(b"\0" + row.tobytes() for row in grey[y0::dy, x0::dx])
    header = struct.pack(">IIBBBBB", grey.shape[1], grey.shape[0], 8, 0, 0, 0, 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def tiled_tiff(big_endian: bool, compressed: bool) -> bytes:
    """Four tiles of 16 × 16, of which those at the edges reach beyond the image. Pillow writes strips only."""
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[:21, :27] = np.asarray(drawing().convert("RGB"))
    tiles = [pixels[y : y + 16, x : x + 16].tobytes() for y in (0, 16) for x in (0, 16)]
    tiles = [zlib.compress(tile) for tile in tiles] if compressed else tiles
    order = ">" if big_endian else "<"
    data = (b"MM\0*" if big_endian else b"II*\0") + struct.pack(order + "I", 0)
    places = []
    for tile in tiles:
        places.append(len(data))
        data += tile
    lists = {324: places, 325: [len(tile) for tile in tiles], 258: [8, 8, 8]}
    at = {}
    for tag, values in lists.items():
        at[tag] = len(data)
        data += struct.pack(f"{order}{len(values)}{'H' if tag == 258 else 'I'}", *values)
    short, long = 3, 4
    entries = [(256, short, 1, 27), (257, short, 1, 21), (258, short, 3, at[258]), (259, short, 1, 8 if compressed else 1), (262, short, 1, 2)]
    entries += [(277, short, 1, 3), (322, short, 1, 16), (323, short, 1, 16), (324, long, 4, at[324]), (325, long, 4, at[325])]
    data += b"\0" * (len(data) % 2)
    directory = struct.pack(order + "H", len(entries))
    for tag, kind, count, value in entries:
        small = kind == short and count == 1
        directory += struct.pack(order + "HHI", tag, kind, count)
        directory += struct.pack(order + ("HH" if small else "I"), *((value, 0) if small else (value,)))
    return data[:4] + struct.pack(order + "I", len(data)) + data[8:] + directory + struct.pack(order + "I", 0)


def sun_raster(run_lengths: bool) -> bytes:
    """Of 24 bits; Pillow reads only."""
    bgr = np.asarray(drawing().convert("RGB"))[:, :, ::-1]
    rows = b"".join(row.tobytes() + b"\0" * (row.nbytes % 2) for row in bgr)
    if run_lengths:
        rows = b"".join(b"\x80\0" if byte == 0x80 else bytes([byte]) for byte in rows)
    height, width, _ = bgr.shape
    return struct.pack(">8I", 0x59A66A95, width, height, 24, len(rows), 2 if run_lengths else 1, 0, 0) + rows


def run_length_bmp() -> bytes:
    """Eight bits, RLE8: runs of two, each line ended."""
    grey = np.asarray(drawing(9, 12).convert("L")) & 0xF0
    rows = b"".join(b"".join(bytes([1, value]) for value in row) + b"\0\0" for row in grey[::-1]) + b"\0\1"
    colours = b"".join(bytes([i, i, i, 0]) for i in range(256))
    info = struct.pack("<IiiHHIIiiII", 40, 12, 9, 1, 8, 1, len(rows), 0, 0, 256, 0)
    start = 14 + len(info) + len(colours)
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + info + colours + rows


def pnm_files() -> dict[str, bytes]:
    """The seven of the family."""
    grey = np.asarray(drawing(9, 12).convert("L"))
    rgb = np.asarray(drawing(9, 12).convert("RGB"))
    rgba = np.asarray(drawing(9, 12))
    words = lambda values: " ".join(map(str, values.ravel())).encode()  # noqa: E731
    bits = (grey > 99).astype(np.uint8)
    return {
        "p1.pbm": b"P1\n# drawn\n12 9\n" + words(bits),
        "p2.pgm": b"P2 12 9 255\n" + words(grey),
        "p3.ppm": b"P3\n12 9\n255\n" + words(rgb),
        "p4.pbm": b"P4\n12 9\n" + np.packbits(bits, axis=1).tobytes(),
        "p5.pgm": b"P5\n12 9\n255\n" + grey.tobytes(),
        "p5-16.pgm": b"P5\n12 9\n65535\n" + (grey.astype(">u2") * 257).astype(">u2").tobytes(),
        "p6.ppm": b"P6\n12 9\n255\n" + rgb.tobytes(),
        "p6-100.ppm": b"P6\n12 9\n100\n" + (rgb // 3).tobytes(),
        "p7.pam": b"P7\nWIDTH 12\nHEIGHT 9\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n" + rgba.tobytes(),
    }


def images() -> dict[str, bytes]:
    """Every format, in the flavours that the decoders tell apart."""
    rgba = drawing()
    rgb, grey = rgba.convert("RGB"), rgba.convert("L")
    black, palette, deep = grey.convert("1"), rgb.quantize(7), Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    turned = Image.Exif()
    turned[0x0112] = 6
    files = {
        "rgb.png": saved(rgb, "PNG"),
        "rgba.png": saved(rgba, "PNG"),
        "grey.png": saved(grey, "PNG"),
        "grey-alpha.png": saved(rgba.convert("LA"), "PNG"),
        "black.png": saved(black, "PNG"),
        "palette.png": saved(palette, "PNG", transparency=3),
        "deep.png": saved(deep, "PNG"),
        "turned.png": saved(rgb, "PNG", exif=turned),
        "colour-key.png": saved(rgb, "PNG", transparency=(220, 40, 35)),
        "interlaced.png": interlaced_png(),
        "444.jpg": saved(rgb, "JPEG", subsampling=0),
        "420.jpg": saved(rgb, "JPEG", subsampling=2),
        "422.jpg": saved(rgb, "JPEG", subsampling=1, restart_marker_blocks=1),
        "grey.jpg": saved(grey, "JPEG"),
        "cmyk.jpg": saved(rgb.convert("CMYK"), "JPEG"),
        "progressive.jpg": saved(rgb, "JPEG", progressive=True),
        "turned.jpg": saved(rgb, "JPEG", exif=turned, comment=b"drawn"),
        "lossy.webp": saved(rgb, "WEBP", quality=40),
        "alpha.webp": saved(rgba, "WEBP", quality=40),
        "lossless.webp": saved(rgba, "WEBP", lossless=True),
        "animated.webp": saved(rgb, "WEBP", save_all=True, append_images=[rgb.rotate(90)], exif=turned),
        "plain.tif": saved(rgb, "TIFF"),
        "big.tif": saved(grey, "TIFF", big_tiff=True),
        "lzw.tif": saved(rgb, "TIFF", compression="tiff_lzw"),
        "predictor.tif": saved(rgb, "TIFF", compression="tiff_adobe_deflate", tiffinfo={317: 2}),
        "packbits.tif": saved(palette, "TIFF", compression="packbits"),
        "group3.tif": saved(black, "TIFF", compression="group3"),
        "group4.tif": saved(black, "TIFF", compression="group4"),
        "jpeg.tif": saved(rgb, "TIFF", compression="jpeg"),
        "deep.tif": saved(deep, "TIFF"),
        "alpha.tif": saved(rgba, "TIFF", compression="tiff_deflate"),
        "cmyk.tif": saved(rgb.convert("CMYK"), "TIFF"),
        "strips.tif": saved(rgb, "TIFF", tiffinfo={278: 4}, strip_size=27 * 3 * 4),
        "tiles.tif": tiled_tiff(big_endian=False, compressed=False),
        "tiles-packed.tif": tiled_tiff(big_endian=True, compressed=True),
        "plain.gif": saved(palette, "GIF", interlace=0),
        "interlaced.gif": saved(palette, "GIF", interlace=1, transparency=2),
        "animated.gif": saved(palette, "GIF", save_all=True, append_images=[palette.rotate(90)]),
        "rgb.bmp": saved(rgb, "BMP"),
        "black.bmp": saved(black, "BMP"),
        "palette.bmp": saved(drawing(9, 12).convert("RGB").quantize(7), "BMP"),
        "alpha.bmp": saved(drawing(9, 12), "BMP"),
        "run-lengths.bmp": run_length_bmp(),
        "raw.ras": sun_raster(run_lengths=False),
        "run-lengths.ras": sun_raster(run_lengths=True),
        "box.jp2": saved(rgb, "JPEG2000", quality_layers=[8], num_resolutions=3),
        "lossless.jp2": saved(grey, "JPEG2000", irreversible=False),
        "stream.j2k": saved(rgb, "JPEG2000", no_jp2=True, quality_layers=[10], tile_size=(16, 16)),
    }
    return files | pnm_files()


# --- archives ----------------------------------------------------------------------------------------------------------------


def tar(style: int, entries: list[tuple[str, object]]) -> bytes:
    """An uncompressed tar; an entry is a name with its bytes, or with the tarfile.TarInfo fields of one without."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=style) as archive:
        for name, content in entries:
            info = tarfile.TarInfo(name)
            info.mtime = 1769860800
            if isinstance(content, bytes):
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
            else:
                for field, value in dict(content).items():
                    setattr(info, field, value)
                archive.addfile(info)
    return out.getvalue()[: -8 * 512]  # two blocks of zeros end it; tarfile fills up to twenty


def zipped(entries: list[tuple[str, bytes, int]], mode: int = 0o644) -> bytes:
    """A zip archive with the packing that is named for each member."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content, packing in entries:
            info = zipfile.ZipInfo(name, ENTRY_TIME)
            info.external_attr = mode << 16
            archive.writestr(info, content, packing)
    return out.getvalue()


def archives() -> dict[str, bytes]:
    """Members with long names, links, folders; packed and stored."""
    page = saved(drawing(9, 12).convert("L"), "PNG")
    strip = tiled_tiff(big_endian=False, compressed=True)
    long_name = "a folder/" * 14 + "page.png"
    plain: list[tuple[str, object]] = [("1/page.png", page), ("1/", {"type": tarfile.DIRTYPE}), (long_name, page)]
    links: list[tuple[str, object]] = [
        ("a.png", page),
        ("b.png", {"type": tarfile.SYMTYPE, "linkname": "a.png"}),
        ("c.png", {"type": tarfile.LNKTYPE, "linkname": "a.png"}),
        ("d.png", {"type": tarfile.SYMTYPE, "linkname": "../../outside.png"}),
        ("e.png", {"type": tarfile.SYMTYPE, "linkname": "e.png"}),
        ("f", {"type": tarfile.FIFOTYPE}),
        ("../up.png", page),
    ]
    stored, packed = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED
    return {
        "gnu.tar": tar(tarfile.GNU_FORMAT, plain),
        "ustar.tar": tar(tarfile.USTAR_FORMAT, [("2/page.png", page), ("x/" * 60 + "p.png", page)]),
        "pax.tar": tar(tarfile.PAX_FORMAT, [*plain, ("Größe.png", page)]),
        "links.tar": tar(tarfile.GNU_FORMAT, links),
        "stored.zip": zipped([("1/page.png", page, stored), ("Größe.png", page, stored)]),
        "packed.zip": zipped([("page.png", page, packed), ("strip.tif", strip, packed), ("zeros.bmp", bytes(3000), packed)]),
        "links.zip": zipped([("a.png", b"b.png", stored)], mode=0o120777),
        "twice.zip": zipped([("a.png", page, packed), ("./a.png", page, stored), (".hidden.png", page, stored), ("d/", b"", stored)]),
    }


# --- models ------------------------------------------------------------------------------------------------------------------


class Network:
    """A graph from `input`, an image of `channels`, that grows node by node."""

    def __init__(self, channels: int = 2) -> None:
        self.channels = channels
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.random = np.random.default_rng(3)

    def add(self, operator: str, *inputs: str, outputs: int = 1, **attributes: object) -> str:
        """A node; the name of its first output."""
        names = [f"t{len(self.nodes)}{'abc'[i]}" for i in range(outputs)]
        self.nodes.append(helper.make_node(operator, list(inputs), names, **attributes))
        return names[0]

    def constant(self, values: object, kind: type = np.float32) -> str:
        """A stored tensor."""
        self.constants.append(numpy_helper.from_array(np.array(values, kind), f"c{len(self.constants)}"))
        return self.constants[-1].name

    def integers(self, *values: int) -> str:
        """A shape, or a part of one."""
        return self.constant(values, np.int64)

    def conv(self, x: str, inner: int, outer: int, side: int = 3, **attributes: object) -> str:
        """A convolution with random weights."""
        return self.add("Conv", x, self.constant(self.random.normal(size=(outer, inner, side, side))), kernel_shape=[side] * 2, **attributes)

    def model(self, output: str) -> bytes:
        """The file."""
        image = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", self.channels, "h", "w"])
        result = helper.make_tensor_value_info(output, TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, "g", [image], [result], self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def shuffled() -> bytes:
    """Valid convolutions, then pixels out of channels, by DepthToSpace and by Reshape and Transpose."""
    net = Network()
    x = net.add("LeakyRelu", net.conv("input", 2, 8), alpha=0.1)
    x = net.add("DepthToSpace", x, blocksize=2, mode="CRD")
    shape = net.add("Shape", x)
    sides = [net.add("Gather", shape, net.constant(axis, np.int64), axis=0) for axis in (0, 2, 3)]
    sides = [net.add("Unsqueeze", side, net.integers(0)) for side in sides]
    target = net.add("Concat", sides[0], net.integers(2, 1), *sides[1:], axis=0)
    return net.model(net.add("Clip", net.add("Reshape", x, target), net.constant(0.0), net.constant(1.0)))


def skips() -> bytes:
    """Down and up again, with a skip: an alignment of 2."""
    net = Network()
    down = net.add("Relu", net.conv("input", 2, 2, strides=[2, 2], pads=[1] * 4))
    up = net.add("ConvTranspose", down, net.constant(net.random.normal(size=(2, 2, 2, 2))), kernel_shape=[2, 2], strides=[2, 2])
    joined = net.add("Concat", up, "input", axis=1)
    return net.model(net.add("Add", net.conv(joined, 4, 2, side=1), "input"))


def resized() -> bytes:
    """Edges repeated, twice the size by interpolation, cut."""
    net = Network()
    x = net.add("Pad", "input", net.integers(0, 0, 2, 2, 0, 0, 2, 2), mode="reflect")
    x = net.add("Resize", x, "", net.constant([1.0, 1.0, 2.0, 2.0]), mode="linear", coordinate_transformation_mode="half_pixel")
    x = net.add("Slice", x, net.integers(4, 4), net.integers(-4, -4), net.integers(2, 3))
    return net.model(net.add("MaxPool", x, kernel_shape=[3, 3], pads=[1] * 4))


def windows() -> bytes:
    """Rows and columns split, turned around and joined; a part in between that looks at everything."""
    net = Network()
    x = net.add("Reshape", "input", net.integers(1, 2, -1, 4, 8, 2))
    x = net.add("Transpose", x, perm=[0, 1, 3, 5, 2, 4])
    x = net.add("Softmax", net.add("MatMul", x, net.constant(np.eye(8))), axis=-1)
    x = net.add("Transpose", x, perm=[0, 1, 4, 2, 5, 3])
    x = net.add("Reshape", x, net.add("Shape", "input"))
    return net.model(net.add("Mul", x, net.add("GlobalAveragePool", "input")))


def branches() -> bytes:
    """An If with graphs in it, a Split, weights in another file."""
    net = Network()
    net.add("Split", "input", outputs=2, axis=1)
    inner = helper.make_graph([helper.make_node("Relu", ["t0a"], ["r"])], "b", [], [helper.make_tensor_value_info("r", TensorProto.FLOAT, None)])
    x = net.add("If", net.constant(True, bool), then_branch=inner, else_branch=inner)
    weights = net.constant(net.random.normal(size=(1, 1, 1, 1)))
    outside = net.constants[-1]
    outside.ClearField("raw_data")
    outside.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "weights.bin"), ("offset", "16"), ("length", "4")):
        entry = outside.external_data.add()
        entry.key, entry.value = key, value
    return net.model(net.add("Conv", x, weights, kernel_shape=[1, 1]))


def models() -> dict[str, bytes]:
    """Graphs that the analysis follows, and some that it gives up on."""
    ours = {name: (TREE / "tests/data/models" / name).read_bytes() for name in ("light.onnx", "sharpen_y.onnx")}
    return ours | {
        "shuffled.onnx": shuffled(),
        "skips.onnx": skips(),
        "resized.onnx": resized(),
        "windows.onnx": windows(),
        "branches.onnx": branches(),
    }


# --- jobs --------------------------------------------------------------------------------------------------------------------

EVERYTHING = """\
schema: 1
name: everything
input: [{path: pages, include: ["**/*.png"], exclude: ["drafts/**"]}, {path: 'more.cbz'}]
pipeline:
  - id: up
    model: up.onnx
    image: {color: BGR, scale: 1/127, mean: [0.5, 1/3, 0], std: [1, 2, 3], border: reflect, alpha: white}
    output: {kind: image, scale: 255}
outputs: {page: {from: up, dtype: f16}}
output: {dir: "${OUT:-out}/run", shard_size: 1GiB, seal_after: 30s, wait_for_space: 0s}
tiles: {size: 96, allow_inexact: true}
devices:
  use: [cpu]
  memory: {cap: 2GiB, leave: 10%, host: 3GiB, per_device: {"node1:cpu0": 1GiB}}
  jobs_per_device: 2
  isolation: none
schedule: {policy: dynamic}
on_error: {bad_input: quarantine, retries: 0, max_quarantine: 5%, hang_after: 60s}
limits: {max_pixels: 1MP, max_region_pixels: 2MP, max_file_size: 1MiB, max_ratio: 100}
"""

INCLUDING = """\
schema: 1
include: [site.yaml, more/other.yaml]
input: &in [{path: $${HOME}}]
pipeline: [{id: u, model: '${MODEL}'}]
output: {dir: "${EMPTY:-a b}"}
%% site.yaml
devices: {memory: {cap: 80%, leave: 4GiB}}
%% more/other.yaml
include: ../site.yaml
output: {dir: x, shard_size: 1GiB}
%% $
MODEL=m.onnx
EMPTY=
PANTILE__TILES__SIZE=64
%% --set
on_error.retries=1
pipeline.u.image={color: gray, scale: 1/127}
"""


def jobs() -> dict[str, bytes]:
    """The sample job, one with every key, one of several files, and those of the tests that have mistakes."""
    broken = {f"broken-{file.name}": file.read_bytes() for file in sorted((TREE / "tests/config/broken").glob("*.yaml"))}
    sample = (TREE / "configs/upscale.yaml").read_bytes()
    return broken | {"upscale.yaml": sample, "everything.yaml": EVERYTHING.encode(), "including.yaml": INCLUDING.encode()}


def dictionary() -> str:
    """The keys of a job, as the docs list them, and what YAML is made of."""
    keys = re.findall(r"`([a-z_.]+(?:\.N[a-z_.]*)?)`", (TREE / "docs/config.md").read_text())
    words = {part for key in keys for part in key.split(".")} - {""}
    marks = ["%% ", "&a", "*a", "<<: ", "---", "!!", "${", ":-", "$$", "PANTILE__", "--set", "1/255", "GiB", "80%", '"\\x', "|\n", "~", "[{", "}]"]
    escaped = ["".join(f"\\x{ord(c):02x}" if c in '"\\\n' else c for c in mark) for mark in marks]
    return "# Made by make_corpus.py.\n" + "".join(f'"{word}"\n' for word in sorted(words) + escaped)


# --- all ---------------------------------------------------------------------------------------------------------------------


def main() -> None:
    """Writes all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", nargs="?", type=pathlib.Path, default=TREE / "tests/fuzz/corpus")
    parser.add_argument("--programs", type=pathlib.Path, default=TREE / "build/release/tests/fuzz")
    options = parser.parse_args()
    for kind, files in {"image": images(), "archive": archives(), "model": models(), "config": jobs()}.items():
        folder = options.out / kind
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (folder / name).write_bytes(data)
    (TREE / "tests/fuzz/dictionaries/config.dict").write_text(dictionary())
    subprocess.run([options.programs / "fuzz_seeds", options.out], check=True)


if __name__ == "__main__":
    main()
