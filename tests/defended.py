"""Defenses by the text of a command line, and pairs to try them on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.api import Context, Defense, Pairs
from bench.plugins import instantiate, resolve


def made(text: str) -> Defense:
    """The defense that a command line would mean by this text."""
    return instantiate("defense", resolve("defense", text))


def captioned(captions: Sequence[str]) -> Pairs:
    """Pairs that have captions and no pictures."""

    def no_picture(id_: str) -> Any:
        raise AssertionError("no caption defense opens a picture")

    ids = tuple(f"p{i}" for i in range(len(captions)))
    return Pairs(ids, tuple(captions), tuple(captions), no_picture)


def prepared(text: str, pairs: Pairs, seed: int = 0) -> tuple[Pairs, dict[str, Any]]:
    """The pairs as a defense prepares them, and its notes."""
    context = Context(seed, pairs.select([]))
    return made(text).prepare(pairs, context), context.notes
