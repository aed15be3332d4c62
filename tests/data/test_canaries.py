"""Canaries: other pairs' captions, half trained on, no twins, nothing else of the data changed."""

from __future__ import annotations

import numpy as np
import pytest

from bench.data import scenes
from bench.data.canaries import draw_canaries, with_canaries
from bench.data.splits import clusters, ids_of, make_split
from bench.errors import UsageError


@pytest.fixture(scope="module")
def pairs():
    return scenes.pairs()


@pytest.fixture(scope="module")
def auxiliary(pairs):
    return make_split(pairs, "scenes", 0).auxiliary


@pytest.fixture(scope="module")
def drawn(pairs, auxiliary):
    return draw_canaries(auxiliary, clusters(pairs), 16, np.random.default_rng(0))


def test_half_are_members_and_all_bear_another_pairs_caption(drawn, auxiliary):
    assert len(drawn.members) == len(drawn.holdouts) == 8
    assert sorted([*drawn.members, *drawn.holdouts]) == sorted(drawn.made_of)
    pictures, captions = zip(*drawn.made_of.values(), strict=True)
    assert sorted(pictures) == sorted(captions)
    assert all(picture != caption for picture, caption in drawn.made_of.values())
    assert set(pictures) <= set(auxiliary)


def test_no_canary_has_a_twin(pairs, auxiliary):
    groups = [tuple(auxiliary[i : i + 3]) for i in range(0, 90, 3)]
    for seed in range(20):
        found = draw_canaries(auxiliary, groups, 30, np.random.default_rng(seed))
        pictures = {picture for picture, _ in found.made_of.values()}
        assert all(len(pictures & set(group)) == 1 for group in groups)


def test_who_is_trained_on_is_chance(auxiliary):
    groups = [(id_,) for id_ in auxiliary]
    counts = np.zeros(4)
    for seed in range(400):
        members = draw_canaries(auxiliary, groups, 4, np.random.default_rng(seed)).members
        counts += [f"canary-{i:03d}" in members for i in range(4)]
    assert np.all(np.abs(counts / 400 - 0.5) < 0.1)  # four standard errors


def test_a_canary_shows_one_pair_and_says_what_another_says(pairs, drawn):
    together = with_canaries(pairs, drawn.made_of)
    assert together.ids[: len(pairs)] == pairs.ids
    said = dict(zip(together.ids, together.originals, strict=True))
    for name, (picture, caption) in drawn.made_of.items():
        assert together.image(name).tobytes() == pairs.image(picture).tobytes()
        assert said[name] == said[caption] != said[picture] or said[caption] == said[picture]
    assert with_canaries(pairs, {}) is pairs


def test_more_than_there_are_is_refused(pairs, auxiliary):
    with pytest.raises(UsageError, match="no more than"):
        draw_canaries(auxiliary, clusters(pairs), 500, np.random.default_rng(0))


def test_a_split_without_canaries_has_none(pairs):
    from dataclasses import asdict

    assert ids_of(asdict(make_split(pairs, "scenes", 0)), "canary_members") == []
