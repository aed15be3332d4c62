"""Published results hang on these: what data is called and how it is dealt must never change."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.data.sources import open_source
from bench.data.splits import make_split
from bench.specs import Stage

KEPT = {
    "tiles": ("ef684727", "d3dbbe00", "579fb1bc"),
    "scenes:n=120": ("18b3db3d", "538d24b5", "a0a1cefb"),
    "folder:kept": ("7b52062f", "ca909d4d", "25c7ec9b"),
}
"""Beginnings of a source's identity, of the digest of its split and of that split's key."""


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixty pictures whose bytes no encoder decides."""
    root = tmp_path / "kept"
    root.mkdir()
    rows = []
    for i in range(60):
        pixels = np.full((9, 12, 3), (i * 4, 255 - i * 4, (i * 37) % 256), dtype=np.uint8)
        pixels[: i % 9, : i % 12] = (i * 91) % 256
        Image.fromarray(pixels).save(root / f"{i:02d}.bmp")
        rows.append(json.dumps({"file_name": f"{i:02d}.bmp", "text": f"picture number {i}"}))
    (root / "metadata.jsonl").write_text("\n".join(rows) + "\n")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", KEPT)
def test_what_was_published_keeps_its_name(kept: None, name: str) -> None:
    source = open_source(name)
    split = make_split(source.pairs(), source.identity, 0, source.sizes)
    params = {"data": source.identity, "seed": 0, "shadow": "disjoint"}
    found = (source.identity, split.digest, Stage("split", params).key)
    assert tuple(text[:8] for text in found) == KEPT[name]
