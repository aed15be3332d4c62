"""Duplicate gate: no near-duplicate picture and no caption stands in two parts of a split.

Recomputed from pictures and captions; which clusters the split was dealt from is not read.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from bench.data.duplicates import near_duplicates, thumbnails
from bench.data.pairs import Pairs
from bench.trust.gate import Gate

PARTS = ("members", "holdouts", "shadow_members", "shadow_holdouts")


def duplicate_gate(pairs: Pairs, split: Mapping[str, Sequence[str]]) -> Gate:
    """Passed iff no picture and no caption links members, hold-outs or the shadow's two parts.

    `pictures`: links of less than .02 root mean square between thumbnails, equal pictures counted
    as one chain; `captions`: links of equal words, case and punctuation aside, as chains too. Both
    are 0 exactly where nothing is shared. `of_target`: those between members and hold-outs.
    """
    part = {id_: name for name in PARTS for id_ in split[name]}
    chosen = pairs.select([id_ for id_ in pairs.ids if id_ in part])
    parts = [part[id_] for id_ in chosen.ids]
    pictures = _across(parts, near_duplicates(thumbnails(chosen)))
    captions = _across(parts, _equal([_words(caption) for caption in chosen.originals]))
    target = {"members", "holdouts"}
    figures = {
        "pictures": len(pictures),
        "captions": len(captions),
        "of_target": sum(set(sides) == target for sides in [*pictures, *captions]),
    }
    return Gate("duplicates", not pictures and not captions, figures)


def _across(parts: Sequence[str], links: Iterable[tuple[int, int]]) -> list[tuple[str, str]]:
    return [(parts[i], parts[j]) for i, j in links if parts[i] != parts[j]]


def _equal(texts: Sequence[str]) -> list[tuple[int, int]]:
    first: dict[str, int] = {}
    links = ((first.setdefault(text, i), i) for i, text in enumerate(texts))
    return [(i, j) for i, j in links if i != j]


def _words(caption: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", caption).casefold()))
