"""Pairs written as a user would: an imagefolder with its metadata."""

from __future__ import annotations

import json
from pathlib import Path

from bench.data.pairs import Pairs


def write_pairs(folder: Path, pairs: Pairs) -> Path:
    """An imagefolder with these pairs."""
    folder.mkdir(parents=True)
    lines = []
    for number, pair in enumerate(pairs):
        pair.image.save(folder / f"{number}.png")
        lines.append(json.dumps({"file_name": f"{number}.png", "text": pair.caption}) + "\n")
    (folder / "metadata.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder
