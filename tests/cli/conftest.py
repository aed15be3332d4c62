"""One run of everything, made once and copied by the tests that change it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest


class Ran(NamedTuple):
    """A finished run: what was typed but for the attacks, its store, and how it ended."""

    words: tuple[Any, ...]
    store: Path
    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def tiny_words(tiny_base: Path) -> tuple[Any, ...]:
    """Options of the smallest run there is."""
    return ("--data", "scenes:n=120", "--recipe", "quick", "--base", tiny_base, "--defense", "none")


@pytest.fixture(scope="session")
def ran(
    cli: Callable[..., Any], tiny_words: tuple[Any, ...], tmp_path_factory: pytest.TempPathFactory
) -> Ran:
    """Both attacks with one worker, from nothing."""
    store = tmp_path_factory.mktemp("stores") / "ran"
    attacks = ("--attack", "loss", "--attack", "clid_th")
    ended = cli("run", *tiny_words, *attacks, "--workers", 1, "--store", store)
    return Ran(tiny_words, store, *ended)


@pytest.fixture
def copied(ran: Ran, tmp_path: Path) -> Path:
    """A copy of that store, to be spoilt."""
    return Path(shutil.copytree(ran.store, tmp_path / "copied"))
