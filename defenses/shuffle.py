"""Defenses `shuffle` and `shuffle_words`: captions change places, or the words inside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from bench.api import Context, Defense, Pairs
from bench.errors import UsageError

ROUNDING = 1e-9
"""0.29 * 100 is less than 29 in floating point."""


@dataclass
class Shuffle(Defense):
    """Gives half of the pictures another picture's caption, once, before training.

    Row "Shuffle" of Table 5 in Zhai et al. 2024 (arXiv 2405.14800), section 4.5: "shuffling 50% of
    the image-text mappings in the dataset"; it is not about the order of words. No code is
    published. Here floor(`fraction` N) ids are chosen uniformly and their captions exchanged among
    them by a derangement, the cyclic shift of a random permutation; the other pairs and the
    multiset of captions stay as they are.

    Where captions are equal, the permutation first gathers equals and the shift is as long as the
    largest such group, so that none of the chosen reads an equal caption again unless one caption
    makes up more than half of them; `kept_equal` in the notes counts those. A single chosen pair
    has nobody to exchange with and keeps its caption.

    Replayed, it has drawn nothing that an attacker could redraw, but the caption a picture was
    trained with is in the data set: replay 0 is the pairs as they are, every later one gives all
    pairs another pair's caption.
    """

    name: ClassVar[str] = "shuffle"
    paper: ClassVar[str] = "Zhai et al., NeurIPS 2024, Table 5"

    fraction: float = 0.5

    def __post_init__(self) -> None:
        """Refuse what is no fraction."""
        if not 0.0 <= self.fraction <= 1.0:
            raise UsageError(f"defense shuffle: fraction={self.fraction} must lie between 0 and 1")

    def prepare(self, pairs: Pairs, context: Context) -> Pairs:
        ids = drawn(pairs.ids, context, "which")
        chosen = int(self.fraction * len(ids) + ROUNDING)
        new = exchanged(pairs, ids[:chosen], context, "whose")
        own = dict(zip(pairs.ids, pairs.captions, strict=True))
        equal = sum(own[id_] == caption for id_, caption in new.items())
        context.notes.update(captions=len(pairs), moved=len(new), kept_equal=equal)
        return pairs.with_captions(new)

    def replay(self, pairs: Pairs, context: Context, number: int) -> Pairs:
        if not number:
            return pairs
        return pairs.with_captions(exchanged(pairs, pairs.ids, context, f"replay {number}"))


def drawn(ids: Sequence[str], context: Context, purpose: str) -> list[str]:
    """The ids in a random order, each placed by a draw of its own."""
    return sorted(ids, key=lambda id_: (context.rng("shuffle", purpose, id_).random(), id_))


def exchanged(pairs: Pairs, ids: Sequence[str], context: Context, purpose: str) -> dict[str, str]:
    """The captions of these ids, each under another of them; none where there is only one."""
    own = dict(zip(pairs.ids, pairs.captions, strict=True))
    order = drawn(ids, context, purpose)
    groups: dict[str, list[str]] = {}
    for id_ in order:
        groups.setdefault(own[id_], []).append(id_)
    ring = [id_ for group in groups.values() for id_ in group]
    if len(ring) < 2:
        return {}
    largest = max(Counter(own[id_] for id_ in ring).values())
    shift = largest if largest < len(ring) else 1
    return {id_: own[giver] for id_, giver in zip(ring, ring[shift:] + ring[:shift], strict=True)}


@dataclass
class ShuffleWords(Defense):
    """Puts the words of captions in a random order, once, before training.

    An extra beside the paper's rows, for "Shuffle" is often misread as this: `shuffle` exchanges
    whole captions. Every caption is permuted with probability `p`, uniformly over all orders of its
    whitespace-split words; a short one may come out as it was, and the notes say how many did not.
    """

    name: ClassVar[str] = "shuffle_words"

    p: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what is no probability."""
        if not 0.0 <= self.p <= 1.0:
            raise UsageError(f"defense shuffle_words: p={self.p} must lie between 0 and 1")

    def prepare(self, pairs: Pairs, context: Context) -> Pairs:
        texts = [
            self._permuted(id_, caption, context)
            for id_, caption in zip(pairs.ids, pairs.captions, strict=True)
        ]
        changed = sum(a != b for a, b in zip(pairs.captions, texts, strict=True))
        context.notes.update(captions=len(pairs), changed=changed / max(len(pairs), 1))
        return pairs.with_captions(texts)

    def _permuted(self, id_: str, caption: str, context: Context) -> str:
        rng = context.rng("shuffle_words", id_)
        if rng.random() >= self.p:
            return caption
        return " ".join(rng.permutation(caption.split()))
