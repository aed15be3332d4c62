"""A disk that fills up: exit 5, one line a stage, and the next run goes on from there."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def entries(store: Path) -> set[str]:
    return {path.parent.name for path in store.glob("stages/*/*/record.json")}


@pytest.mark.parametrize("writes", [0, 9, 20])
def test_a_full_disk_is_told_and_loses_nothing(
    ran: Any, cli: Callable[..., Any], copied: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    left, flush = [writes], os.fsync

    def fills_up(handle: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        flush(handle)

    before = entries(copied)
    words = ("run", *ran.words, "--attack", "loss[t=7]", "--workers", 1, "--store", copied)
    monkeypatch.setattr(os, "fsync", fills_up)
    full = cli(*words)
    monkeypatch.undo()
    assert full.code == 5
    assert full.out == ""
    assert "Traceback" not in full.err
    errors = [line for line in full.err.splitlines() if line.startswith("error: ")]
    assert errors
    assert len(set(errors)) == len(errors)
    assert all("no space left" in line and "--store" in line for line in errors)
    kept = entries(copied)
    assert before <= kept

    again = cli(*words)
    assert again.code == 0, again.err
    assert kept < entries(copied)
    computed = [line for line in again.err.splitlines() if line.startswith("[")]
    assert len(computed) == len(entries(copied)) - len(kept)
