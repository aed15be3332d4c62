"""Splits: whole clusters on one side, exact sizes, and nothing but chance between the sides."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, fields
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike
from PIL import Image

from bench.data import scenes, tiles
from bench.data.pairs import Pairs
from bench.data.sizes import SplitSizes
from bench.data.splits import (
    Split,
    clusters,
    deal,
    fitting_sizes,
    ids_of,
    make_split,
)
from bench.errors import UsageError, ValidationError
from bench.rng import generator

PARTS = [field.name for field in fields(Split)]
SEEDED = PARTS[:4]


@cache
def noise(id_: str) -> Image.Image:
    rng = generator("test", id_)
    return Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))


def made(captions: list[str]) -> Pairs:
    ids = tuple(f"p{i}" for i in range(len(captions)))
    return Pairs(ids, tuple(captions), tuple(captions), noise)


def auc(positive: np.ndarray, negative: np.ndarray) -> float:
    below = np.searchsorted(np.sort(negative), positive, "left")
    ties = np.searchsorted(np.sort(negative), positive, "right") - below
    return float((below + ties / 2).mean() / len(negative))


@pytest.fixture(scope="module")
def tile_splits() -> list[Split]:
    pairs, identity = tiles.pairs(), tiles.identity()
    return [make_split(pairs, identity, seed) for seed in range(200)]


def test_tiles_fill_the_default_sizes_and_never_overlap(tile_splits: list[Split]) -> None:
    for split in tile_splits:
        parts = asdict(split)
        assert {part: len(ids) for part, ids in parts.items()} == asdict(SplitSizes())
        assert len(set(itertools.chain(*parts.values()))) == 2700


def test_tiles_clusters_stay_whole(tile_splits: list[Split]) -> None:
    found = clusters(tiles.pairs())
    assert max(map(len, found)) < 25, "one rule links too much"
    assert sum(map(len, found)) == 2735
    for split in tile_splits:
        side = {id_: part for part, ids in asdict(split).items() for id_ in ids}
        for cluster in found:
            assert len({side.get(id_) for id_ in cluster}) == 1, cluster


def test_known_twins_share_a_cluster() -> None:
    of = {id_: cluster for cluster in clusters(tiles.pairs()) for id_ in cluster}
    assert of["mask_ski"] is of["mask_ski_loose"]
    assert of["mon_cow"] is of["mon_cow_calf"]
    assert of["brazier"] == ("brazier",)


def test_reference_and_auxiliary_belong_to_the_data_and_the_rest_to_the_seed(
    tile_splits: list[Split],
) -> None:
    assert len({(s.reference, s.auxiliary) for s in tile_splits}) == 1
    assert len({s.members for s in tile_splits}) == len({s.digest for s in tile_splits}) == 200
    other = make_split(tiles.pairs(), "another identity", 0)
    assert other.reference != tile_splits[0].reference


def test_a_split_is_a_function_of_its_arguments(tile_splits: list[Split]) -> None:
    again = make_split(tiles.pairs(), tiles.identity(), 7)
    assert again == tile_splits[7]
    assert again.digest == tile_splits[7].digest
    swapped = Split(**{**asdict(again), "members": again.members[::-1]})
    assert swapped.digest != again.digest, "the order counts"


def cluster_sizes() -> list[int]:
    of = {id_: len(cluster) for cluster in clusters(tiles.pairs()) for id_ in cluster}
    return [of[id_] for id_ in tiles.pairs().ids]


PROPERTIES: dict[str, Callable[[], ArrayLike]] = {
    "caption length": lambda: [len(caption) for caption in tiles.pairs().captions],
    "picture mean": lambda: tiles.pixels().mean(axis=(1, 2, 3)),
    "cluster size": cluster_sizes,
    "order": lambda: range(2735),
}


@pytest.mark.parametrize("property_", PROPERTIES)
@pytest.mark.parametrize(
    ("a", "b"),
    [("members", "holdouts"), ("shadow_members", "shadow_holdouts"), ("members", "shadow_members")],
)
def test_no_property_tells_the_sides_apart(
    tile_splits: list[Split], property_: str, a: str, b: str
) -> None:
    """Over 200 seeds the AUC of any property averages one half within its standard error."""
    row = {id_: i for i, id_ in enumerate(tiles.pairs().ids)}
    values = np.asarray(PROPERTIES[property_](), dtype=np.float64)
    aucs = []
    for split in tile_splits:
        sides = ([row[id_] for id_ in getattr(split, part)] for part in (a, b))
        aucs.append(auc(*(values[side] for side in sides)))
    error = np.std(aucs) / np.sqrt(len(aucs))
    assert abs(np.mean(aucs) - 0.5) < 3.5 * error
    assert error < 0.002


@settings(max_examples=40, deadline=None)
@given(
    repeats=st.lists(st.integers(1, 6), min_size=40, max_size=90),
    seed=st.integers(0, 2**32),
    other=st.integers(0, 2**32),
)
def test_any_data_keeps_the_promises(repeats: list[int], seed: int, other: int) -> None:
    pairs = made([f"caption {i}" for i, n in enumerate(repeats) for _ in range(n)])
    caption = dict(zip(pairs.ids, pairs.captions, strict=True))
    try:
        sizes = fitting_sizes(clusters(pairs))
    except ValidationError:
        assert len(pairs) - 6 * (max(repeats) - 1) < 60
        return
    split = make_split(pairs, "data", seed)
    parts = asdict(split)
    assert {part: len(ids) for part, ids in parts.items()} == asdict(sizes)
    assert len(set(itertools.chain(*parts.values()))) == sum(map(len, parts.values()))
    sides = {part: {caption[id_] for id_ in ids} for part, ids in parts.items()}
    for a, b in itertools.combinations(PARTS, 2):
        assert not sides[a] & sides[b], (a, b)
    assert split == make_split(pairs, "data", seed)
    changed = make_split(pairs, "data", other)
    assert (changed.reference, changed.auxiliary) == (split.reference, split.auxiliary)
    pool = sides["reference"] | sides["auxiliary"]
    assert not pool & {caption[i] for part in SEEDED for i in asdict(changed)[part]}


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 5), min_size=10, max_size=60),
    wanted=st.lists(st.integers(1, 12), min_size=2, max_size=4),
    seed=st.integers(0, 2**32),
)
def test_deal_is_exact_or_says_why_not(sizes: list[int], wanted: list[int], seed: int) -> None:
    groups = [tuple(f"{i}.{j}" for j in range(n)) for i, n in enumerate(sizes)]
    asked = {f"part{i}": n for i, n in enumerate(wanted)}
    try:
        rest, parts = deal(groups, asked, generator("deal", seed))
    except ValidationError:
        assert sum(wanted) + len(wanted) * (max(sizes) - 1) > sum(sizes), "it would have fitted"
        return
    assert {name: len(ids) for name, ids in parts.items()} == asked
    used = [{id_.split(".")[0] for id_ in ids} for ids in parts.values()]
    used.append({group[0].split(".")[0] for group in rest})
    assert sum(map(len, used)) == len(set().union(*used)), "a cluster is in two places"


def test_large_clusters_reach_every_side_alike() -> None:
    groups = [tuple(f"{i}.{j}" for j in range(8 if i < 40 else 1)) for i in range(440)]
    asked = dict.fromkeys(SEEDED, 150)
    count: Counter[str] = Counter()
    for seed in range(150):
        _, parts = deal(groups, asked, generator("sides", seed))
        for name, ids in parts.items():
            count[name] += sum(int(id_.split(".")[0]) < 40 for id_ in ids) // 8
    expected = sum(count.values()) / 4
    assert all(abs(n - expected) < 4 * np.sqrt(expected) for n in count.values()), count


def test_too_little_or_too_repetitive_data_is_refused_in_one_line() -> None:
    with pytest.raises(ValidationError, match=r"too few pairs to split: 59 pairs.*at least 60"):
        make_split(made([f"c{i}" for i in range(59)]), "x", 0)
    with pytest.raises(ValidationError, match=r"100 pairs in 1 clusters.*remove repeats"):
        make_split(made(["the same"] * 100), "x", 0)
    with pytest.raises(ValidationError, match=r"cannot fill reference 350.* from 70 pairs"):
        make_split(made([f"c{i}" for i in range(70)]), "x", 0, SplitSizes())
    with pytest.raises(UsageError, match="reference was given 0"):
        SplitSizes(reference=0)


def test_sizes_scale_with_the_data() -> None:
    assert SplitSizes.scaled(2735) == SplitSizes()
    assert sum(asdict(SplitSizes.scaled(60)).values()) <= 60
    assert SplitSizes.scaled(5470).members == 1000


@pytest.mark.parametrize(
    ("a", "b", "linked"),
    [
        ("A red fox.", "a RED  fox", True),
        ("ski mask (open): A warm wool mask here.", "ski mask: A warm wool mask here.", True),
        ("cat: sits", "dog: sits", False),
        ("a photo of a red fox", "a photo of a red box", False),
        ("\uff21 fox", "a fox", True),
        ("!!!", "???", True),
    ],
)
def test_which_captions_are_linked(a: str, b: str, linked: bool) -> None:
    assert (len(clusters(made([a, b, "something else entirely"]))) == 2) is linked


def test_near_duplicate_pictures_share_a_cluster() -> None:
    def open_image(id_: str) -> Image.Image:
        image = noise("twin" if id_ in ("p1", "p3") else id_).resize((96, 64))
        return image.point(lambda v: min(255, v + 1)) if id_ == "p3" else image

    captions = tuple(f"caption {i}" for i in range(5))
    pairs = Pairs(tuple(f"p{i}" for i in range(5)), captions, captions, open_image)
    assert ("p1", "p3") in clusters(pairs)
    assert len(clusters(pairs)) == 4


def test_scenes_split_too() -> None:
    split = make_split(scenes.pairs(), scenes.identity(), 0)
    assert len(split.members) == len(split.holdouts) == 548


def test_a_resplit_deals_the_shadow_from_the_target_s_own_pairs(tile_splits: list[Split]) -> None:
    pairs = tiles.pairs()
    usual = tile_splits[0]
    again = make_split(pairs, tiles.identity(), 0, shadow="resplit")
    for part in ("members", "holdouts", "reference", "auxiliary"):
        assert getattr(again, part) == getattr(usual, part)
    pool = {*usual.members, *usual.holdouts}
    shadow = [*again.shadow_members, *again.shadow_holdouts]
    assert len(shadow) == len(set(shadow)) == 1000
    assert set(shadow) == pool
    shared = len(set(again.shadow_members) & set(usual.members))
    assert 200 < shared < 300  # about a half, by chance
    assert again.digest != usual.digest


def test_halves_of_the_shadow_are_cut_alike_and_complete_each_other() -> None:
    split = {"shadow_members": list("abcde"), "shadow_holdouts": list("vwxyz"), "members": ["m"]}
    halves = [ids_of(split, f"shadow_fold_{k}") for k in range(2)]
    assert halves == [list("abcvwx"), list("deyz")]
    assert [set(ids_of(split, f"shadow_but_{k}")) for k in range(2)] == [
        set(halves[1]),
        set(halves[0]),
    ]
    assert set(ids_of(split, "shadow_all")) == {*"abcdevwxyz"}
    assert ids_of(split, "members") == ["m"]
