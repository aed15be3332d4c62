"""Are the scored pairs those of the split, each once, and truly the members and hold-outs?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache

from bench.data import tiles
from bench.data.canaries import split_canaries
from bench.data.source import DataSource
from bench.data.sources import open_source
from bench.data.splits import Split, make_split
from bench.entries.entry import Entry
from bench.entries.problems import AGAIN, shown
from bench.entries.schema import EMBEDDED, Target
from bench.errors import BenchError

MOST_SCENES = 6_000
"""Scenes that are drawn again to recompute a split: 3 s on one core for the usual 3,000."""
COUNT = re.compile(r"n=([0-9]+)")
UNDO = "the scores belong to other pairs: submit again from the run's own store"


def check(entry: Entry) -> Iterator[tuple[str, str, str]]:
    """Flaws of ids and membership, at most one a seed."""
    source = None
    if entry.about.target.data is not None:
        source, unknown = _opened(entry.about.target.data, entry.about.target)
        if unknown:
            yield "target.data", unknown, AGAIN
            return
    elif _embedded(entry):
        yield "target.data", "embedded pictures that are not named as such", AGAIN
        return
    for seed in entry.seeds:
        flaw = _own(entry, seed)
        if flaw is None and source is not None:
            flaw = _of_split(entry, seed, source)
        if flaw:
            yield f"seed {seed}", flaw, UNDO


def _embedded(entry: Entry) -> bool:
    target = entry.about.target
    return target.data_label in EMBEDDED or target.data_identity == tiles.identity()


def _opened(name: str, target: Target) -> tuple[DataSource | None, str | None]:
    kind, _, argument = name.partition(":")
    if kind not in EMBEDDED:
        return None, f"no embedded data set is named {shown(name)}"
    if any(len(number) > 6 or int(number) > MOST_SCENES for number in COUNT.findall(argument)):
        return None, f"{shown(name)} is more than the {MOST_SCENES:,} scenes that are drawn again"
    try:
        source = open_source(name)
    except (BenchError, ValueError):
        return None, f"{shown(name)} cannot be opened"
    if source.identity != target.data_identity:
        return None, f"data_identity is not that of {source.name} here"
    if source.label != target.data_label:
        return None, f"{source.name} is labelled {shown(target.data_label)}"
    return source, None


def _own(entry: Entry, seed: int) -> str | None:
    """What the ids say of themselves, whatever the data."""
    ids = entry.arrays[f"seed{seed}-ids"].tolist()
    if any(not (id_ and id_.isprintable()) for id_ in ids):
        return "an id is empty or holds hidden signs"
    twice = [id_ for id_, times in Counter(ids).items() if times > 1]
    if twice:
        return f"id {shown(twice[0])} is there twice"
    if ids != sorted(ids):
        return "ids are not sorted"
    members, holdouts = entry.ids(seed)
    if not members or not holdouts:
        return f"{len(members)} members and {len(holdouts)} hold-outs"
    canaries = entry.ids(seed, canaries=True)
    put_in = entry.about.target.canaries
    if sum(map(len, canaries)) != put_in or (put_in and len(canaries[0]) != put_in // 2):
        return f"{len(canaries[0])} + {len(canaries[1])} canaries of {put_in}"
    return None


def _of_split(entry: Entry, seed: int, source: DataSource) -> str | None:
    """Held against the split that this data and seed give, which nobody can choose."""
    split = _split(source.name, source.identity, seed)
    for what, found, due in zip(
        ("members", "hold-outs"), entry.ids(seed), (split.members, split.holdouts), strict=True
    ):
        if len(found) != len(due):
            return f"{len(found)} {what} of the {len(due)} in the split"
        if strange := sorted(set(found) - set(due)):
            return f"{shown(strange[0])} is not among the {what} of the split"
    if entry.seed(seed).split != split.digest:
        return "the split's digest is not the one that this data and seed give"
    if n := entry.about.target.canaries:
        drawn = split_canaries(split, source.pairs(), source.identity, seed, n)
        if entry.ids(seed, canaries=True) != (drawn.members, drawn.holdouts):
            return "other canaries, or others of them members, than this data and seed give"
    return None


@lru_cache(maxsize=32)
def _split(name: str, identity: str, seed: int) -> Split:
    return make_split(open_source(name).pairs(), identity, seed)
