"""How near one caption is to another, in words: ROUGE-L and CIDEr for one reference each."""

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

ORDERS = (1, 2, 3, 4)
Floats = NDArray[np.float64]


def words(text: str) -> list[str]:
    """Lower-case words without punctuation."""
    return re.findall(r"[a-z0-9]+(?:'[a-z]+)?", text.lower())


def rouge_l(said: Sequence[str], true: Sequence[str]) -> Floats:
    """F1 of the longest common subsequence of words, one value a pair."""
    return np.array([_rouge(words(a), words(b)) for a, b in zip(said, true, strict=True)])


def _rouge(a: list[str], b: list[str]) -> float:
    row = [0] * (len(b) + 1)
    for word in a:
        before = row
        row = [0]
        for j, other in enumerate(b):
            row.append(before[j] + 1 if word == other else max(before[j + 1], row[j]))
    return 2 * row[-1] / (len(a) + len(b)) if a and b else 0.0


def cider(said: Sequence[str], true: Sequence[str], corpus: Sequence[str]) -> Floats:
    """CIDEr (Vedantam et al. 2015) with one reference: 10 x mean TF-IDF cosine of 1- to 4-grams.

    Without stemming and without the length penalty of CIDEr-D; `corpus` gives the rarities.
    """
    known = [Counter(gram for text in corpus for gram in set(_grams(text, n))) for n in ORDERS]
    total = np.zeros(len(true))
    for n, seen in zip(ORDERS, known, strict=True):
        for i, (a, b) in enumerate(zip(said, true, strict=True)):
            left, right = (_weighed(_grams(text, n), seen, len(corpus)) for text in (a, b))
            norm = math.hypot(*left.values()) * math.hypot(*right.values())
            dot = sum(weight * right.get(gram, 0.0) for gram, weight in left.items())
            total[i] += dot / norm if norm else 0.0
    return 10 * total / len(ORDERS)


def _grams(text: str, n: int) -> list[tuple[str, ...]]:
    found = words(text)
    return [tuple(found[i : i + n]) for i in range(len(found) - n + 1)]


def _weighed(
    grams: list[tuple[str, ...]], seen: Counter[tuple[str, ...]], of: int
) -> dict[tuple[str, ...], float]:
    counts = Counter(grams)
    return {g: k / len(grams) * math.log(of / max(1, seen[g])) for g, k in counts.items()}
