"""How a large set of pairs is cut into shards, each asked about in a stage of its own."""

from __future__ import annotations

SHARD = 1024
"""Pairs a shard; a multiple of the rows a forward, so that batches and their bits stay the same."""
WHOLE = 2
"""Sets of no more than so many shards are asked about in one stage."""
Bounds = tuple[int, int | None]
"""First pair of a shard and the one after its last; None: to the end."""


def bounds(n: int, size: int) -> list[Bounds]:
    """The shards of at most n pairs; none for a set that is asked about as a whole.

    The last is open: how many pairs a split really holds is known when it has been made.
    """
    if n <= WHOLE * size:
        return []
    firsts = range(0, n, size)
    return [(first, first + size) for first in firsts[:-1]] + [(firsts[-1], None)]


def told(shard: Bounds | None) -> str:
    """Which pairs a shard is about, counted from 1; nothing of a whole set."""
    if shard is None:
        return ""
    first, end = shard
    return f", pairs {first + 1} {'on' if end is None else f'to {end}'}"
