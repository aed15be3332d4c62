"""Duplicate gate: no near-duplicate picture and no caption stands in two parts of a split.

Recomputed from pictures and captions; which clusters the split was dealt from is not read.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from bench.data.duplicates import near_duplicates, thumbnails
from bench.data.pairs import Pairs
from bench.trust.gate import Gate

PARTS = ("members", "holdouts", "shadow_members", "shadow_holdouts")


class Repeat(NamedTuple):
    """Two pairs in two parts that share a picture or a caption."""

    what: Literal["pictures", "captions"]
    ids: tuple[str, str]
    parts: tuple[str, str]


def duplicate_gate(pairs: Pairs, split: Mapping[str, Sequence[str]]) -> Gate:
    """Passed iff no picture and no caption links members, hold-outs or the shadow's two parts.

    `pictures`: links of less than .02 root mean square between thumbnails, equal pictures counted
    as one chain; `captions`: links of equal words, case and punctuation aside, as chains too. Both
    are 0 exactly where nothing is shared. `of_target`: those between members and hold-outs.
    """
    found = repeats(pairs, split)
    figures = {
        "pictures": sum(one.what == "pictures" for one in found),
        "captions": sum(one.what == "captions" for one in found),
        "of_target": sum(set(one.parts) == {"members", "holdouts"} for one in found),
    }
    return Gate("duplicates", not found, figures)


def repeats(pairs: Pairs, split: Mapping[str, Sequence[str]]) -> list[Repeat]:
    """The links that the gate counts, those by pictures first."""
    part = {id_: name for name in PARTS for id_ in split[name]}
    chosen = pairs.select([id_ for id_ in pairs.ids if id_ in part])
    links: dict[Literal["pictures", "captions"], Iterable[tuple[int, int]]] = {
        "pictures": near_duplicates(thumbnails(chosen)),
        "captions": _equal([_words(caption) for caption in chosen.originals]),
    }
    ids = chosen.ids
    return [
        Repeat(what, (ids[i], ids[j]), (part[ids[i]], part[ids[j]]))
        for what, found in links.items()
        for i, j in found
        if part[ids[i]] != part[ids[j]]
    ]


def _equal(texts: Sequence[str]) -> list[tuple[int, int]]:
    first: dict[str, int] = {}
    links = ((first.setdefault(text, i), i) for i, text in enumerate(texts))
    return [(i, j) for i, j in links if i != j]


def _words(caption: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", caption).casefold()))
