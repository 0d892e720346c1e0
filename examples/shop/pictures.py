"""Pictures: read as PPM, made smaller, written as PNG, with the standard library alone."""

import re
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

HEAD = re.compile(rb"P6\s+(\d{1,5})\s+(\d{1,5})\s+255\s")


class NotAPicture(ValueError):
    """These bytes are no PPM picture with three bytes a pixel."""


class Picture(NamedTuple):
    """Pixels of three bytes, row by row."""

    width: int
    height: int
    pixels: bytes


def read_ppm(data: bytes) -> Picture:
    """Return the picture. Raises NotAPicture."""
    head = HEAD.match(data)
    if head is None:
        raise NotAPicture("the head of a PPM picture is missing: P6 WIDTH HEIGHT 255")
    picture = Picture(int(head[1]), int(head[2]), data[head.end() :])
    expected = picture.width * picture.height * 3
    if len(picture.pixels) != expected or expected == 0:
        raise NotAPicture(f"there are {len(picture.pixels)} bytes of pixels, not {expected}")
    return picture


def height_for(picture: Picture, width: int) -> int:
    """Return the height that keeps the picture's proportions."""
    return max(1, round(picture.height * width / picture.width))


def smaller_rows(picture: Picture, width: int) -> Iterator[bytes]:
    """Yield the rows of a smaller picture, whose pixels are the mean of those that they cover."""
    height = height_for(picture, width)
    for y in range(height):
        rows = range(*edges(y, height, picture.height))
        row = bytearray()
        for x in range(width):
            left, right = edges(x, width, picture.width)
            spans = [(picture.width * at + left, picture.width * at + right) for at in rows]
            area = b"".join(picture.pixels[3 * start : 3 * end] for start, end in spans)
            row += bytes(sum(area[colour::3]) * 3 // len(area) for colour in range(3))
        yield bytes(row)


def edges(at: int, parts: int, length: int) -> tuple[int, int]:
    """Return where a part begins and ends if a length is divided; at least 1 apart."""
    start = at * length // parts
    return start, max(start + 1, (at + 1) * length // parts)


def png(width: int, rows: list[bytes]) -> bytes:
    """Return the file of a picture."""
    head = struct.pack(">IIBBBBB", width, len(rows), 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    chunks = ((b"IHDR", head), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
