"""Every picture that can be shown comes out RGB and upright; the others are refused in words."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile

from bench.data.pictures import RowError, decode


def encoded(image: Image.Image, format_: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


def solid(mode: str, colour: float | tuple[int, ...]) -> Image.Image:
    return Image.new(mode, (6, 4), colour)


def palette(transparent: bool) -> bytes:
    image = solid("RGB", (10, 200, 30)).quantize(4)
    return encoded(
        image, "PNG", **({"transparency": image.getpixel((0, 0))} if transparent else {})
    )


def sixteen(value: int) -> bytes:
    return encoded(Image.fromarray(np.full((4, 6), value, dtype=np.uint16)), "PNG")


@pytest.mark.parametrize(
    ("content", "expected", "slack"),
    [
        (encoded(solid("L", 90), "PNG"), (90, 90, 90), 0),
        (encoded(solid("1", 1), "PNG"), (255, 255, 255), 0),
        (encoded(solid("CMYK", (0, 255, 255, 0)), "TIFF"), (255, 0, 0), 0),
        (encoded(solid("CMYK", (0, 255, 255, 0)), "JPEG"), (255, 0, 0), 4),
        (encoded(solid("RGBA", (9, 8, 7, 0)), "PNG"), (255, 255, 255), 0),
        (encoded(solid("RGBA", (255, 0, 0, 128)), "PNG"), (255, 127, 127), 1),
        (encoded(solid("LA", (0, 128)), "PNG"), (127, 127, 127), 1),
        (encoded(solid("RGB", (1, 2, 3)), "PNG", transparency=(1, 2, 3)), (255, 255, 255), 0),
        (palette(transparent=False), (10, 200, 30), 2),
        (palette(transparent=True), (255, 255, 255), 0),
        (sixteen(65535), (255, 255, 255), 0),
        (sixteen(257 * 100), (100, 100, 100), 0),
        (sixteen(0), (0, 0, 0), 0),
        (encoded(solid("YCbCr", (128, 128, 128)), "JPEG"), (128, 128, 128), 2),
        (encoded(solid("RGB", (5, 6, 7)), "GIF"), (5, 6, 7), 1),
        (encoded(solid("RGBA", (0, 0, 0, 0)), "WEBP", lossless=True), (255, 255, 255), 0),
    ],
)
def test_every_mode_becomes_rgb_on_white(
    content: bytes, expected: tuple[int, int, int], slack: int
) -> None:
    image = decode(content)
    assert (image.mode, image.size) == ("RGB", (6, 4))
    assert np.abs(np.asarray(image).astype(int) - expected).max() <= slack


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    """A picture whose four corners differ comes out upright whichever way it was stored."""
    upright = Image.new("RGB", (40, 24))
    for x, y, colour in ((0, 0, "red"), (20, 0, "lime"), (0, 12, "blue"), (20, 12, "white")):
        upright.paste(colour, (x, y, x + 20, y + 12))
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(undo[orientation]) if orientation in undo else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    decoded = decode(encoded(stored, "JPEG", exif=exif, quality=95))
    assert decoded.size == (40, 24)
    assert (
        np.abs(
            np.asarray(decoded)[4::12, 4::20].astype(int) - np.asarray(upright)[4::12, 4::20]
        ).max()
        < 9
    )


def test_transparent_pixels_are_white_where_the_picture_is_rotated_too() -> None:
    image = Image.new("RGBA", (6, 4), (0, 0, 0, 0))
    image.putpixel((0, 0), (255, 0, 0, 255))
    exif = Image.Exif()
    exif[0x0112] = 3
    decoded = decode(encoded(image, "PNG", exif=exif))
    assert decoded.getpixel((5, 3)) == (255, 0, 0)
    assert decoded.getpixel((0, 0)) == (255, 255, 255)


def claims(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it is this large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("size", [(30_000, 30_000), (30_000, 3_000), (10_000, 9_000)])
def test_a_decompression_bomb_is_refused_before_it_takes_memory(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(image: Image.Image) -> None:
        raise AssertionError("its pixels are decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    with pytest.raises(RowError, match=r"^'b.png' has more than 89,478,485 pixels; scale it down$"):
        decode(claims(*size), "b.png")


def test_a_long_strip_of_30_000_pixels_is_a_picture() -> None:
    assert decode(encoded(Image.new("L", (30_000, 2), 7), "PNG")).size == (30_000, 2)


def test_a_picture_that_ends_too_early_is_refused_and_not_filled_with_grey() -> None:
    with pytest.raises(RowError, match="cannot be decoded as a picture"):
        decode(claims(100, 100))
