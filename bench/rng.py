"""Randomness as a function of what it is for.

Every draw comes from a generator keyed by (run seed, purpose, pair id, visit, ...), never from a
global one, so that no result depends on batch size, worker count, order, or on what ran before.
Philox is counter-based and numpy keeps its stream stable across versions and platforms.
"""

from __future__ import annotations

import hashlib

import numpy as np


def generator(*keys: str | int) -> np.random.Generator:
    """The generator that belongs to these keys; equal keys, equal stream."""
    text = "\x1f".join(f"{type(key).__name__}:{key}" for key in keys)
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))
