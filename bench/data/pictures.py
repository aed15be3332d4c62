"""From the bytes of a picture file to RGB: whatever can be shown is, whatever cannot is refused."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})


class RowError(Exception):
    """What is wrong with one row of a data set and what to do; its place is added later."""


def decode(content: bytes, name: str = "") -> Image:
    """The picture in these bytes: first frame, upright by its EXIF, RGB, transparency on white.

    More than 89 million pixels are refused before any is decoded: a few kilobytes can ask for
    gigabytes of memory. Sixteen bits a channel are rounded to eight.
    """
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            opened = Image.open(io.BytesIO(content))
        image: Image.Image = ImageOps.exif_transpose(opened)
        if image.mode.startswith("I"):
            deep = np.asarray(image).astype(np.int64).clip(0, 65535)
            image = Image.fromarray(((deep + 128) // 257).astype(np.uint8))
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        if image.mode == "F":
            raise ValueError("floating-point pixels")
        return image.convert("RGB")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise RowError(
            f"'{name}' has more than {Image.MAX_IMAGE_PIXELS or 0:,} pixels; scale it down"
        ) from None
    except Exception as error:  # noqa: BLE001 - decoders raise whatever their parser stumbles over
        raise RowError(f"'{name}' {_undecodable(content, error)}") from None


def _undecodable(content: bytes, error: Exception) -> str:
    """Why these bytes are no picture, in words; the decoder's own only where they help."""
    start = content[:32].decode("ascii", errors="replace")
    if not content:
        reason = "it is empty"
    elif " ".join(start.split()).isprintable() and "\ufffd" not in start:
        reason = f"it is text that begins {start!r}"
    else:
        reason = str(error).replace("<_io.BytesIO object", "this file") or type(error).__name__
    return f"cannot be decoded as a picture ({reason}); replace it or drop the line"
