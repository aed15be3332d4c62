"""The embedded data set `tiles`: 2,735 pictures of 32x32, each with a human-written caption.

Made by `tools/build_tiles.py` from Cataclysm: Dark Days Ahead; licence and credits lie beside the
files. Pixels are a plain array, so that hashing, counting and reading captions need no Pillow.
"""

from __future__ import annotations

import hashlib
import io
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.data.pairs import Pairs
from bench.errors import OfflineError

if TYPE_CHECKING:
    from PIL.Image import Image

FOLDER = Path(__file__).parents[1] / "zoo" / "tiles"
CONTENT = ("pairs.jsonl", "images.npz")
"""The files that make up the data; their bytes are its identity."""
RESOLUTION = 32
LICENCE = "CC-BY-SA-3.0"


def identity() -> str:
    """sha256 over the shipped files, names and lengths included."""
    digest = hashlib.sha256(b"tiles\n")
    for name in CONTENT:
        content = _bytes(name)
        digest.update(f"{name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def records() -> list[dict[str, Any]]:
    """What the shipped lines say of each pair: `id`, `caption`, `type` and `tileset`."""
    return [json.loads(line) for line in _bytes("pairs.jsonl").decode().splitlines()]


def count() -> int:
    """How many pairs there are, without parsing them."""
    return _bytes("pairs.jsonl").count(b"\n")


def pixels() -> NDArray[np.uint8]:
    """All pictures in the order of `records`, shape (n, 32, 32, 3)."""
    with np.load(io.BytesIO(_bytes("images.npz")), allow_pickle=False) as file:
        return np.asarray(file["images"], dtype=np.uint8)


@cache
def pairs() -> Pairs:
    """All pairs, in the shipped order; the pixels are read when the first picture is opened."""
    lines = records()
    ids = tuple(line["id"] for line in lines)
    captions = tuple(line["caption"] for line in lines)
    return Pairs(ids, captions, captions, _open)


@cache
def _table() -> tuple[dict[str, int], NDArray[np.uint8]]:
    return {line["id"]: row for row, line in enumerate(records())}, pixels()


def _open(id_: str) -> Image:
    from PIL import Image

    rows, images = _table()
    return Image.fromarray(images[rows[id_]])


def _bytes(name: str) -> bytes:
    try:
        return (FOLDER / name).read_bytes()
    except FileNotFoundError:
        raise OfflineError(
            f"the embedded data set is incomplete: {FOLDER / name} is missing; reinstall the "
            "package or rebuild it with tools/build_tiles.py"
        ) from None
