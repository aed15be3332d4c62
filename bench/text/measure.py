"""How far a text has moved: the measures that a caption defense writes into the manifest."""

from __future__ import annotations

import re
from collections import Counter

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
