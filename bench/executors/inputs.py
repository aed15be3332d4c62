"""Whether what a stage is about to read is what was published."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from bench.errors import BenchError
from bench.records import flaw_in
from bench.store import Store

_seen: dict[Path, tuple[tuple[str, int, int], ...]] = {}
"""How the files of a sound entry looked when this process read them."""


def check(store: Store, inputs: Mapping[str, Iterable[str]]) -> None:
    """BenchError for one that was altered since, names (kind, key) by role.

    Each is read once for all the stages that a process computes, unless its files change.
    """
    for kind, key in inputs.values():
        folder = store.folder(kind, key)
        if not folder.exists() or _seen.get(folder) == (looks := _looks(folder)):
            continue
        if (flaw := flaw_in(folder, kind, key)) is not None:
            raise BenchError(
                f"stored {kind} {key[:12]} is corrupt ({flaw}) and was not read; run the same "
                "command again, which sets it aside and computes it anew"
            )
        _seen[folder] = looks


def _looks(folder: Path) -> tuple[tuple[str, int, int], ...]:
    found = ((path.name, path.stat()) for path in sorted(folder.iterdir()))
    return tuple((name, about.st_size, about.st_mtime_ns) for name, about in found)
