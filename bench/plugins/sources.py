"""The source hash of a plugin: its file, and whatever else it says that it reads."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def source_digest(path: Path, made: Any) -> str:
    """Hash of a plugin's source and of whatever else it says that it reads."""
    return combined_digest(*source_digests(path, made))


def source_digests(path: Path, made: Any) -> tuple[str, list[str]]:
    """sha256 of a plugin's file, and `name:sha256` of every other file that it reads."""
    others: list[str] = []
    for place in getattr(made, "reads", tuple)():
        found = sorted(p for p in place.rglob("*") if p.is_file()) if place.is_dir() else [place]
        others += [f"{p.name}:{_sha256(p)}" for p in found if p.is_file() and p.suffix != ".pyc"]
    return _sha256(path), others


def combined_digest(file: str, others: Sequence[str]) -> str:
    """The source hash of a component from those of its files."""
    if not others:
        return file
    return hashlib.sha256("\n".join([file, *others]).encode()).hexdigest()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
