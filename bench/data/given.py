"""Members, hold-outs and what else was given apart, as one data set and its split.

Ids are hashes, so that neither an id nor the order of ids says on which side a pair is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from bench.data.pairs import Pairs
from bench.data.source import DataSource
from bench.data.sources import open_source
from bench.data.splits import Cluster, clusters, deal
from bench.errors import ValidationError
from bench.rng import generator

if TYPE_CHECKING:
    from PIL.Image import Image

SIDES = ("members", "holdouts", "shadow_members", "shadow_holdouts")
FEWEST = 20
"""Pairs a side, below which nothing can be said: AUC would need to be above 75 to be seen."""


@dataclass(frozen=True)
class Given:
    """Data sets by part: `members`, `holdouts`, and `auxiliary` or the shadow's two sides."""

    sources: Mapping[str, DataSource]

    @property
    def name(self) -> str:
        return ", ".join(source.name for source in self.sources.values())

    @cached_property
    def identity(self) -> str:
        """sha256 over the parts with the identities of their data."""
        lines = [f"{part}\x1f{source.identity}\n" for part, source in self.sources.items()]
        return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()

    @cached_property
    def ids(self) -> dict[str, tuple[str, ...]]:
        """The pairs of each part, by their hashed ids."""
        return {part: tuple(self._ids(part)) for part in self.sources}

    def names(self) -> dict[str, str]:
        """What is told to the user for a hashed id: `a.png of members`."""
        return {
            id_: f"{named} of {part}"
            for part, own in self._pairs.items()
            for id_, named in zip(self.ids[part], own.ids, strict=True)
        }

    def pairs(self) -> Pairs:
        """All pairs of all parts, in the order of their ids."""
        rows: dict[str, tuple[str, str, Pairs, str]] = {}
        for part, own in self._pairs.items():
            for id_, caption, original, named in zip(
                self.ids[part], own.captions, own.originals, own.ids, strict=True
            ):
                rows[id_] = (caption, original, own, named)
        order = sorted(rows)

        def open_image(id_: str) -> Image:
            _, _, own, named = rows[id_]
            return own.image(named)

        captions, originals = (
            tuple(rows[id_][0] for id_ in order),
            tuple(rows[id_][1] for id_ in order),
        )
        pictures = {
            id_: f"{part}/{picture}"
            for part, own in self._pairs.items()
            for id_, picture in zip(self.ids[part], own.pictures or own.ids, strict=True)
        }
        return Pairs(
            tuple(order), captions, originals, open_image, tuple(pictures[id_] for id_ in order)
        )

    def check(self) -> None:
        """Enough pairs on each side, and no pair on two; else one line that says which."""
        for part, own in self._pairs.items():
            fewest = 2 * FEWEST if part == "auxiliary" else FEWEST
            if len(own) < fewest:
                raise ValidationError(
                    f"{part}: {len(own)} pairs in {self.sources[part].name}; at least {fewest} are "
                    "needed"
                )
        seen: dict[tuple[str, bytes], tuple[str, str]] = {}
        shared = self._captions_on_two_sides()
        for part, own in self._pairs.items():
            for pair in own:
                if pair.original not in shared:
                    continue
                content = pair.original, hashlib.sha256(pair.image.tobytes()).digest()
                other, named = seen.setdefault(content, (part, pair.id))
                if other != part:
                    raise ValidationError(
                        f"{pair.id} of {part} is {named} of {other}: the same picture and caption; "
                        "a pair was trained on or was not: remove it from one of them"
                    )

    @cached_property
    def _pairs(self) -> dict[str, Pairs]:
        return {part: source.pairs() for part, source in self.sources.items()}

    def _ids(self, part: str) -> list[str]:
        identity = self.sources[part].identity
        return [
            hashlib.sha256(f"{identity}\x1f{named}".encode()).hexdigest()[:16]
            for named in self._pairs[part].ids
        ]

    def _captions_on_two_sides(self) -> set[str]:
        first: dict[str, str] = {}
        return {
            caption
            for part, own in self._pairs.items()
            for caption in own.originals
            if first.setdefault(caption, part) != part
        }


def open_given(specs: Mapping[str, str]) -> Given:
    """Each part opened by the name that was typed, and checked as any data set is."""
    given = Given({part: open_source(spec) for part, spec in specs.items()})
    owners: dict[str, str] = {}
    for part, source in given.sources.items():
        other = owners.setdefault(source.identity, part)
        if other != part:
            raise ValidationError(
                f"{part} and {other} are the same data ({source.name}); nothing tells them apart"
            )
    return given


def given_split(given: Given, seed: int) -> dict[str, list[str]]:
    """The ids of each side as given; the shadow's dealt from the auxiliary pairs, if there are any.

    A cluster stays on one side, and one that hangs together with a member or a hold-out (an equal
    caption, a near-duplicate picture) is used for nothing: these are `left_out`.
    """
    split = {side: list(given.ids.get(side, ())) for side in SIDES}
    split |= {"reference": [], "auxiliary": [], "left_out": []}
    if "auxiliary" not in given.ids:
        return split
    free, left = _apart(clusters(given.pairs()), set(given.ids["auxiliary"]))
    largest = max(map(len, free), default=0)
    single = sum(len(cluster) == 1 for cluster in free)
    # Two parts lose at most the largest cluster less one each; single pairs make up for it.
    half = (sum(map(len, free)) - max(0, 2 * (largest - 1) - single)) // 2
    if half < FEWEST:
        raise ValidationError(
            f"auxiliary: {sum(map(len, free))} pairs that share no caption or picture with members "
            f"or hold-outs; at least {2 * FEWEST} are needed for a shadow"
        )
    sizes = {"shadow_members": half, "shadow_holdouts": half}
    _, dealt = deal(free, sizes, generator("split", given.identity, "auxiliary", seed))
    return split | dealt | {"left_out": left}


def _apart(groups: Sequence[Cluster], auxiliary: set[str]) -> tuple[list[Cluster], list[str]]:
    """Clusters of auxiliary pairs alone, and the auxiliary pairs in other clusters."""
    free = [group for group in groups if auxiliary.issuperset(group)]
    left = [
        id_
        for group in groups
        if not auxiliary.issuperset(group)
        for id_ in group
        if id_ in auxiliary
    ]
    return free, left
