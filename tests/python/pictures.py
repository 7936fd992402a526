"""Images that are too large, or too odd, for other tools to draw within a test: drawn row by row, for the tests and benchmarks of memory."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

TILE = 256


def rows_of_colour(side: int, height: int = TILE) -> Iterator[np.ndarray]:
    """side × side smooth RGB pixels that differ everywhere, `height` rows at a time."""
    small = np.random.default_rng(5).integers(0, 256, (side // 64 + 2, side // 64 + 2, 3)).astype(np.float32)
    x = np.arange(side) / 64
    left, right = x.astype(int), (x - x.astype(int))[None, :, None].astype(np.float32)
    for top in range(0, side, height):
        y = np.arange(top, top + height) / 64
        above, below = y.astype(int), (y - y.astype(int))[:, None, None].astype(np.float32)
        row = small[above] * (1 - below) + small[above + 1] * below
        yield (row[:, left] * (1 - right) + row[:, left + 1] * right).astype(np.uint8)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def write_png(path: Path, side: int) -> None:
    """The pixels of rows_of_colour as a PNG whose rows tell the difference to the pixel on the left."""
    squeeze = zlib.compressobj(1)
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)))
        for rows in rows_of_colour(side):
            differences = rows.copy()
            differences[:, 1:] -= rows[:, :-1]
            lines = np.concatenate([np.ones((len(rows), 1), np.uint8), differences.reshape(len(rows), -1)], axis=1)
            file.write(_chunk(b"IDAT", squeeze.compress(lines.tobytes())))
        file.write(_chunk(b"IDAT", squeeze.flush()) + _chunk(b"IEND", b""))


def write_tiled_tiff(path: Path, side: int) -> None:
    """The same pixels in tiles of 256 px, not compressed. Below 4 GiB."""
    count, bytes_a_tile = (side // TILE) ** 2, TILE * TILE * 3
    extra, entries = b"", []
    directory = 8 + count * bytes_a_tile
    behind = directory + 2 + 12 * 11 + 4

    def entry(tag: int, kind: int, values: list[int]) -> None:
        nonlocal extra
        data = struct.pack(f"<{len(values)}{'H' if kind == 3 else 'I'}", *values)
        where = data.ljust(4, b"\0") if len(data) <= 4 else struct.pack("<I", behind + len(extra))
        extra += b"" if len(data) <= 4 else data
        entries.append(struct.pack("<HHI", tag, kind, len(values)) + where)

    for tag, kind, values in (
        (256, 4, [side]), (257, 4, [side]), (258, 3, [8, 8, 8]), (259, 3, [1]), (262, 3, [2]), (277, 3, [3]), (284, 3, [1]), (322, 3, [TILE]), (323, 3, [TILE]),
        (324, 4, [8 + tile * bytes_a_tile for tile in range(count)]), (325, 4, [bytes_a_tile] * count),
    ):  # fmt: skip
        entry(tag, kind, values)
    with path.open("wb") as file:
        file.write(b"II*\0" + struct.pack("<I", directory))
        for rows in rows_of_colour(side):
            for left in range(0, side, TILE):
                file.write(rows[:, left : left + TILE].tobytes())
        file.write(struct.pack("<H", len(entries)) + b"".join(entries) + b"\0\0\0\0" + extra)


def write_interlaced_png(path: Path, pixels: np.ndarray) -> None:
    """Grey pixels in the seven passes of Adam7."""
    height, width = pixels.shape
    data = b""
    for top, left, down, across in ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)):
        part = pixels[top::down, left::across]
        if part.size:
            data += np.concatenate([np.zeros((len(part), 1), np.uint8), part], axis=1).tobytes()
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 1)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(data, 1)) + _chunk(b"IEND", b""))
