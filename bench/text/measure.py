"""How far a text has moved: the measures that a caption defense writes into the manifest."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

WORDS = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")


def plain(text: str) -> str:
    """Case, punctuation and blanks aside: what two texts must differ in to differ at all."""
    return " ".join(words(text))


def words(text: str) -> list[str]:
    """The words of a text, folded."""
    return WORDS.findall(text.casefold().replace("\u2019", "'"))


def words_changed(old: str, new: str) -> float:
    """Words taken out or put in, whichever are more, as a share of the longer text's words."""
    before, after = Counter(words(old)), Counter(words(new))
    total = max(before.total(), after.total())
    return 1.0 - (before & after).total() / total if total else 0.0


def jaccard_distance(old: str, new: str) -> float:
    """1 - |common| / |together| over the sets of words."""
    before, after = set(words(old)), set(words(new))
    together = before | after
    return 1.0 - len(before & after) / len(together) if together else 0.0


def strength(old: Sequence[str], new: Sequence[str]) -> dict[str, float]:
    """Realised strength: how many captions changed, and how far on average."""
    both = list(zip(old, new, strict=True))
    n = max(len(both), 1)
    return {
        "captions": len(both),
        "changed": sum(plain(a) != plain(b) for a, b in both) / n,
        "words_changed": sum(words_changed(a, b) for a, b in both) / n,
        "jaccard_distance": sum(jaccard_distance(a, b) for a, b in both) / n,
    }
