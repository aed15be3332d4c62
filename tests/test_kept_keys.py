"""Keys that published results lie under: a change of these throws hours of results away."""

from __future__ import annotations

import pytest
from cells import cell, component

from bench.pipeline import cell_stage
from bench.specs import canonical
from bench.training.recipe import RECIPES

MINI = RECIPES["mini"].model_dump(mode="json")
KEPT = {
    "quick": (
        {},
        "df2a513bdfa44cf654311aa81b1e2669025495b5fbd064b2271de6472ba45b9d",
    ),
    "a board's row, calibrated by references, with canaries": (
        {
            "attack": component("ref_loss", reference="shadow"),
            "recipe": MINI,
            "seed": 2,
            "canaries": 64,
            "clip_digest": "clip-1",
        },
        "06ce63aacaaa5f6038ae480eb181dc7e7fc5d0d20d8c8e88dedaaaba66a5c3ee",
    ),
    "replays against the base": (
        {"view": "defended", "replays": 4, "pool": "max", "at": 0},
        "4b607cd2c69cb47f7be1b0ceed7187f0ea95a794f79854f3b4d40e1d83ae721d",
    ),
}


@pytest.mark.parametrize("what", KEPT)
def test_a_row_s_key_is_the_one_that_its_results_were_stored_under(what: str) -> None:
    changed, key = KEPT[what]
    # The metrics stage stands on all others: its key is made of theirs.
    assert cell_stage(cell(**changed)).key == key


def test_what_is_usual_is_not_said() -> None:
    usual = canonical(cell().card())
    for word in ("sampler", "query", "fp32", "asked"):
        assert word not in usual
