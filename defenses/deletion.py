"""Defenses `del1`, `del3` and `del`: train on captions with some of their words taken out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from bench.api import Context, Defense, Pairs, Training
from bench.errors import UsageError

Mode = Literal["exact", "bernoulli"]
Per = Literal["once", "visit"]
TWICE = "both delete words of one caption; give del a higher rate"
HIGHEST_RATE = 0.99
"""Above it, drawing until a word is left would take forever."""


def without_words(caption: str, rate: float, mode: Mode, rng: np.random.Generator) -> str:
    """The caption without some of its words, order kept; never without all of them.

    `exact` takes max(1, round(rate n)) of n words out, positions uniform without replacement;
    `bernoulli` each with probability `rate`, drawn again where none would be left.
    """
    words = caption.split()
    n = len(words)
    if n < 2 or not rate:
        return caption
    if mode == "exact":
        deleted = min(max(1, round(rate * n)), n - 1)
        kept = np.sort(rng.permutation(n)[deleted:])
    else:
        kept = np.flatnonzero(rng.random(n) >= rate)
        while not len(kept):
            kept = np.flatnonzero(rng.random(n) >= rate)
    return " ".join(words[i] for i in kept) if len(kept) < n else caption


def count(notes: dict[str, Any], old: str, new: str) -> None:
    """Adds one caption to the realised strength."""
    before, after = len(old.split()), len(new.split())
    for key, more in (
        ("captions", 1),
        ("captions_changed", int(after < before)),
        ("words", before),
        ("deleted", before - after),
    ):
        notes[key] = notes.get(key, 0) + more
    notes["words_deleted"] = notes["deleted"] / max(notes["words"], 1)


def deleted_once(pairs: Pairs, context: Context, rate: float, mode: Mode = "exact") -> Pairs:
    """All captions shortened; one key for the family, so what del1 deletes del3 deletes too."""
    texts = [
        without_words(caption, rate, mode, context.rng("del", id_))
        for id_, caption in zip(pairs.ids, pairs.captions, strict=True)
    ]
    for old, new in zip(pairs.captions, texts, strict=True):
        count(context.notes, old, new)
    return pairs.with_captions(texts)


@dataclass
class Delete1(Defense):
    """Deletes 10 % of the words of every caption, once, before training.

    Row "Del-1" of Table 5 in Zhai et al. 2024 (arXiv 2405.14800), section 4.5: words, not tokens.
    The paper leaves the rounding open and publishes no code; here a caption of n >= 2
    whitespace-split words loses exactly max(1, round(0.1 n)) of them and never all, since rounding
    down would leave every caption of less than ten words as it was. The notes have the realised
    share.
    """

    name: ClassVar[str] = "del1"
    paper: ClassVar[str] = "Zhai et al., NeurIPS 2024, Table 5"
    excludes: ClassVar[Mapping[str, str]] = {"del3": TWICE, "del": TWICE}

    def prepare(self, pairs: Pairs, context: Context) -> Pairs:
        return deleted_once(pairs, context, 0.1)


@dataclass
class Delete3(Defense):
    """Deletes 30 % of the words of every caption, once, before training.

    Row "Del-3" of Table 5 in Zhai et al. 2024 (arXiv 2405.14800): as `del1`, but
    max(1, round(0.3 n)) of n words.
    """

    name: ClassVar[str] = "del3"
    paper: ClassVar[str] = "Zhai et al., NeurIPS 2024, Table 5"
    excludes: ClassVar[Mapping[str, str]] = {"del1": TWICE, "del": TWICE}

    def prepare(self, pairs: Pairs, context: Context) -> Pairs:
        return deleted_once(pairs, context, 0.3)


@dataclass
class Delete(Defense):
    """Deletes any share `rate` of the words of every caption; 0 deletes none.

    `mode=exact` is the rule of `del1` and `del3`, `mode=bernoulli` deletes each word independently
    and draws again where none would be left. `per=visit` deletes afresh at every visit of a pair:
    that is no row of the paper's, which shortens the data set once, and is titled accordingly.
    Either way it acts on what defenses of the data have made of the captions.
    """

    name: ClassVar[str] = "del"
    level: ClassVar = "visit"
    paper: ClassVar[str] = "after Zhai et al., NeurIPS 2024, Table 5"
    excludes: ClassVar[Mapping[str, str]] = {"del1": TWICE, "del3": TWICE}

    rate: float = 0.1
    mode: Mode = "exact"
    per: Per = "once"

    def __post_init__(self) -> None:
        """Refuse what cannot be deleted."""
        if not 0.0 <= self.rate <= HIGHEST_RATE:
            raise UsageError(f"defense del: rate={self.rate} must lie between 0 and {HIGHEST_RATE}")
        self._notes: dict[str, Any] = {}

    @property
    def title(self) -> str:
        return "del-per-visit" if self.per == "visit" else self.name

    def prepare(self, pairs: Pairs, context: Context) -> Pairs:
        return deleted_once(pairs, context, self.rate, self.mode) if self.per == "once" else pairs

    def begin(self, training: Training) -> None:
        self._notes = training.notes

    def caption(self, pair: str, caption: str, rng: np.random.Generator) -> str:
        if self.per == "once":
            return caption
        text = without_words(caption, self.rate, self.mode, rng)
        count(self._notes, caption, text)
        return text

    def replay(self, pairs: Pairs, context: Context, number: int) -> Pairs:
        """Whenever it deletes, an attacker can only delete afresh."""
        return deleted_once(pairs, context, self.rate, self.mode)
