"""Canaries: a few mislabelled pairs, half of them trained on, to see how the worst-off fare.

An average over all members hides those who are found most easily (Aerni, Zhang & Tramer 2024, arXiv
2404.17399, section 4). A picture under another picture's caption is such a pair: nothing else in
the training set teaches what it says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bench.data.pairs import Pairs
from bench.data.splits import Split, clusters
from bench.errors import UsageError
from bench.rng import generator

if TYPE_CHECKING:
    from PIL.Image import Image


class Canaries(NamedTuple):
    """Canaries of one seed: which are trained on, which are not, and what they are made of."""

    members: list[str]
    holdouts: list[str]
    made_of: dict[str, tuple[str, str]]
    """By canary the id of the picture and the id of the pair whose caption it bears."""


def split_canaries(split: Split, pairs: Pairs, identity: str, seed: int, n: int) -> Canaries:
    """The canaries of this split, a function of its arguments only."""
    rng = generator("split", identity, "canaries", seed, n)
    return draw_canaries(split.auxiliary, clusters(pairs), n, rng)


def draw_canaries(
    auxiliary: Sequence[str], groups: Sequence[Sequence[str]], n: int, rng: np.random.Generator
) -> Canaries:
    """`n` auxiliary pictures with each other's captions, none with its own; half are members.

    `n` is even. One of a cluster at most, so that no canary has a twin on the other side.
    UsageError where there are too few clusters.
    """
    known = set(auxiliary)
    clusters = [inside for group in groups if (inside := [id_ for id_ in group if id_ in known])]
    if n > len(clusters):
        raise UsageError(f"--canaries {n}: the auxiliary pairs give no more than {len(clusters)}")
    chosen = [clusters[i] for i in rng.permutation(len(clusters))[:n]]
    pictures = [cluster[rng.integers(len(cluster))] for cluster in chosen]
    # A cycle through all of them gives everyone somebody else's caption.
    captions = [*pictures[1:], *pictures[:1]]
    names = [f"canary-{number:03d}" for number in range(n)]
    made_of = dict(zip(names, zip(pictures, captions, strict=True), strict=True))
    order = [names[i] for i in rng.permutation(n)]
    return Canaries(sorted(order[: n // 2]), sorted(order[n // 2 :]), made_of)


def with_canaries(pairs: Pairs, made_of: Mapping[str, Sequence[str]]) -> Pairs:
    """The data set with its canaries behind it."""
    if not made_of:
        return pairs
    read = dict(zip(pairs.ids, pairs.originals, strict=True))
    words = tuple(read[caption] for _, caption in made_of.values())
    shown: tuple[str, ...] = ()
    if pairs.pictures:
        of = dict(zip(pairs.ids, pairs.pictures, strict=True))
        shown = (*pairs.pictures, *(of[picture] for picture, _ in made_of.values()))
    return replace(
        pairs,
        pictures=shown,
        ids=(*pairs.ids, *made_of),
        captions=(*pairs.captions, *words),
        originals=(*pairs.originals, *words),
        open_image=partial(_opened, pairs.open_image, {k: v[0] for k, v in made_of.items()}),
    )


def _opened(open_image: Any, pictures: Mapping[str, str], id_: str) -> Image:
    image: Image = open_image(pictures.get(id_, id_))
    return image
