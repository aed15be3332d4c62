"""Splits whose sides differ by chance alone.

The unit is the cluster: pairs that share a caption, or its sentences, or whose pictures are near
duplicates. A cluster stays on one side, or what an attack "recognises" in a hold-out would be its
twin among the members. Clusters are dealt in random order to sides drawn in proportion to the
room they have left, so that members and hold-outs are exchangeable: no rule treats them apart.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from bisect import bisect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Literal

import numpy as np

from bench.data.duplicates import components, near_duplicates, thumbnails
from bench.data.pairs import Pairs
from bench.data.sizes import SplitSizes
from bench.errors import ValidationError
from bench.rng import generator
from bench.specs import FOLDS

MINIMUM = 60
"""Fewer pairs than this cannot be split into six parts that mean anything."""
Cluster = tuple[str, ...]


def _count(groups: Sequence[Cluster]) -> str:
    return (
        f"{sum(map(len, groups))} pairs in {len(groups)} clusters that share a caption or a "
        f"picture (the largest has {max(map(len, groups), default=0)})"
    )


def fitting_sizes(groups: Sequence[Cluster]) -> SplitSizes:
    """Sizes that can be dealt from these clusters, whatever the seed, in the usual proportions.

    Six parts lose at most the largest cluster less one each; single pairs make up for it.
    """
    n, largest = sum(map(len, groups)), max(map(len, groups), default=0)
    n -= max(0, 6 * (largest - 1) - sum(len(group) == 1 for group in groups))
    if n < MINIMUM:
        raise ValidationError(
            f"too few pairs to split: {_count(groups)}; at least {MINIMUM} different ones are "
            "needed: add pictures or remove repeats"
        )
    return SplitSizes.scaled(n)


@dataclass(frozen=True)
class Split:
    """Six ordered lists of ids without overlap, and their hash.

    `reference` and `auxiliary` belong to the data set and are the same for every seed; the other
    four are dealt anew for each seed from one pool.
    """

    members: tuple[str, ...]
    holdouts: tuple[str, ...]
    shadow_members: tuple[str, ...]
    shadow_holdouts: tuple[str, ...]
    reference: tuple[str, ...]
    auxiliary: tuple[str, ...]

    @property
    def digest(self) -> str:
        """sha256 over the ordered id lists."""
        return digest(asdict(self))


def digest(parts: Mapping[str, Sequence[str]]) -> str:
    """sha256 over ordered id lists by part."""
    lines = [f"{part}\x1f{chr(31).join(ids)}\n" for part, ids in parts.items()]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def make_split(
    pairs: Pairs,
    identity: str,
    seed: int,
    sizes: SplitSizes | None = None,
    shadow: Literal["disjoint", "resplit"] = "disjoint",
) -> Split:
    """The split of this data for this seed, a function of its arguments only.

    `resplit` deals the shadow's parts from the target's own members and hold-outs, as the released
    code of Zhai et al. 2024 seems to; `disjoint` from pairs that the target never meets.
    """
    everything = clusters(pairs)
    wanted = asdict(sizes or fitting_sizes(everything))
    fixed = {part: wanted.pop(part) for part in ("reference", "auxiliary")}
    rest, parts = deal(everything, fixed, generator("split", identity, "fixed"))
    _, drawn = deal(rest, wanted, generator("split", identity, "seed", seed))
    if shadow == "resplit":
        drawn |= _dealt_again(everything, drawn, generator("split", identity, "resplit", seed))
    return Split(**{part: tuple(ids) for part, ids in (parts | drawn).items()})


def _dealt_again(
    groups: Sequence[Cluster], drawn: Mapping[str, Sequence[str]], rng: np.random.Generator
) -> dict[str, list[str]]:
    """The shadow's two parts, from the members and hold-outs and as large as these."""
    pool = {*drawn["members"], *drawn["holdouts"]}
    inside = [tuple(id_ for id_ in group if id_ in pool) for group in groups]
    sizes = {f"shadow_{part}": len(drawn[part]) for part in ("members", "holdouts")}
    return deal([group for group in inside if group], sizes, rng)[1]


def ids_of(split: Mapping[str, Sequence[str]], part: str) -> list[str]:
    """The ids of a part by name; beside those of `Split` what references are trained and asked on.

    `shadow_all`: the shadow's members and hold-outs; `shadow_fold_K`: their K-th half, of both
    alike; `shadow_but_K`: all but that half. Canaries: none where the split was made without.
    """
    if part in split:
        return list(split[part])
    if part.startswith("canary"):
        return []
    both = [split["shadow_members"], split["shadow_holdouts"]]
    if part == "shadow_all":
        return [id_ for ids in both for id_ in ids]
    kind, _, number = part.rpartition("_")
    inside = kind == "shadow_fold"
    return [
        id_
        for ids in both
        for i, id_ in enumerate(ids)
        if (i * FOLDS // len(ids) == int(number)) == inside
    ]


def deal(
    groups: Sequence[Cluster], sizes: Mapping[str, int], rng: np.random.Generator
) -> tuple[list[Cluster], dict[str, list[str]]]:
    """Clusters that no part touched, and the parts, filled to exactly these sizes.

    A cluster goes whole to a part drawn in proportion to its room among those that can take it.
    Where that leaves gaps, the large ones go first; where even that does, a cluster is cut, and
    what is cut off belongs to no part at all.
    """
    order = [groups[i] for i in rng.permutation(len(groups))]
    unused, parts = _fill(order, sizes, rng)
    if any(len(parts[name]) < size for name, size in sizes.items()):
        unused, parts = _fill(sorted(order, key=len, reverse=True), sizes, rng)
    for name, size in sizes.items():
        gap = size - len(parts[name])
        if gap and not unused:
            wanted = ", ".join(f"{part} {n}" for part, n in sizes.items())
            raise ValidationError(
                f"cannot fill {wanted} from {_count(groups)}; ask for a smaller split"
            )
        if gap:
            smallest = min(unused, key=len)
            unused.remove(smallest)
            parts[name].extend(smallest[:gap])
    return unused, parts


def _fill(
    order: Iterable[Cluster], sizes: Mapping[str, int], rng: np.random.Generator
) -> tuple[list[Cluster], dict[str, list[str]]]:
    parts: dict[str, list[str]] = {name: [] for name in sizes}
    room = dict(sizes)
    unused = []
    for cluster in order:
        able = [name for name in room if room[name] >= len(cluster)]
        if not able:
            unused.append(cluster)
            continue
        reach = list(accumulate(room[name] for name in able))
        name = able[bisect(reach, rng.random() * reach[-1])]
        parts[name].extend(cluster)
        room[name] -= len(cluster)
    return unused, parts


@lru_cache(maxsize=2)
def clusters(pairs: Pairs) -> tuple[Cluster, ...]:
    """The ids that must stay together, in the order of the data.

    Linked are pairs of one caption (case, spaces and punctuation aside), of one description under
    another name ("ski mask: ..." and "ski mask (open): ..."), pairs of one picture, and
    near-duplicate pictures.
    """
    first: dict[str, int] = {}
    shown = [first.setdefault(name, i) for i, name in enumerate(pairs.pictures or pairs.ids)]
    each = list(first.values())
    near = near_duplicates(thumbnails(pairs.select([pairs.ids[i] for i in each])))
    links = [
        *enumerate(shown),
        *_same_words(pairs.originals),
        *((each[i], each[j]) for i, j in near),
    ]
    groups = components(len(pairs), links)
    return tuple(tuple(pairs.ids[i] for i in group) for group in groups)


def _same_words(captions: Sequence[str]) -> Iterable[tuple[int, int]]:
    first: dict[str, int] = {}
    for i, caption in enumerate(captions):
        body = caption.partition(":")[2]
        keys = [_normal(caption), _normal(body)]
        for key in keys[: 1 + (len(keys[1].split()) >= 4)]:
            yield first.setdefault(key, i), i


def _normal(text: str) -> str:
    return re.sub(r"[\W_]+", " ", unicodedata.normalize("NFKC", text).casefold()).strip()
