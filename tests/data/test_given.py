"""Parts that were given apart: ids that tell nothing, and a shadow's share that meets nobody."""

from __future__ import annotations

from itertools import pairwise

import pytest

from bench.data.given import Given, given_split, open_given
from bench.data.sources import DataSource, open_source
from bench.errors import ValidationError


def source(first: int, last: int, name: str) -> DataSource:
    pairs = open_source("scenes:n=400").pairs()
    some = pairs.select(pairs.ids[first:last])
    return DataSource(name, f"identity-{name}", name, 32, "-", load=lambda: some)


@pytest.fixture
def given() -> Given:
    parts = {"members": (0, 60), "holdouts": (60, 100), "auxiliary": (95, 295)}
    return Given({part: source(*ends, part) for part, ends in parts.items()})


def test_ids_are_opaque_and_lead_to_the_pair(given):
    pairs = given.pairs()
    assert list(pairs.ids) == sorted(pairs.ids)
    assert len(pairs) == 300
    member = given.sources["members"].pairs()
    id_ = given.ids["members"][7]
    assert pairs.image(id_).tobytes() == member.image(member.ids[7]).tobytes()
    assert pairs.select([id_]).captions == (member.captions[7],)
    assert not any(member.ids[7] in id_ for id_ in pairs.ids)
    # In the order of the ids members are no block of their own.
    inside = [id_ in given.ids["members"] for id_ in pairs.ids]
    assert sum(a != b for a, b in pairwise(inside)) > 30


def test_the_sides_are_as_given_and_the_shadow_s_share_nothing_with_them(given):
    split = given_split(given, seed=0)
    assert tuple(split["members"]) == given.ids["members"]
    assert tuple(split["holdouts"]) == given.ids["holdouts"]
    pairs = given.pairs()
    words = {side: set(pairs.select(split[side]).captions) for side in
             ("members", "holdouts", "shadow_members", "shadow_holdouts")}  # fmt: skip
    assert words["shadow_members"].isdisjoint(words["members"] | words["holdouts"])
    assert words["shadow_members"].isdisjoint(words["shadow_holdouts"])
    assert len(split["shadow_members"]) == len(split["shadow_holdouts"]) >= 20
    dealt = {*split["shadow_members"], *split["shadow_holdouts"], *split["left_out"]}
    assert dealt <= set(given.ids["auxiliary"])
    assert len(split["left_out"]) == 5
    assert given_split(given, seed=0) == split
    assert given_split(given, seed=1)["shadow_members"] != split["shadow_members"]


def test_the_identity_knows_which_part_is_which(given):
    swapped = {"members": given.sources["holdouts"], "holdouts": given.sources["members"]}
    assert Given(dict(given.sources) | swapped).identity != given.identity
    assert Given(dict(reversed(given.sources.items()))).identity == given.identity


def test_one_data_set_cannot_be_two_parts():
    with pytest.raises(ValidationError, match="the same data"):
        open_given({"members": "scenes:n=60", "holdouts": "scenes:n=60"})
