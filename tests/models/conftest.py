"""A tiny base, and a few scenes to ask it about."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.data import scenes
from bench.data.pairs import Pairs
from bench.models.base import Base, load_base


@pytest.fixture(scope="session")
def base(tiny_base: Path) -> Base:
    """Never trained, never written to."""
    return load_base(tiny_base)


@pytest.fixture(scope="session")
def pairs() -> Pairs:
    drawn = scenes.pairs()
    return drawn.select(drawn.ids[:20])
