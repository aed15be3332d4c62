"""Keys of results that are published: whoever changes one throws hours of computing away."""

from __future__ import annotations

import hashlib

import pytest
from cells import cell

from bench.pipeline import cell_stage
from bench.specs import canonical
from bench.training.recipe import RECIPES

RECIPE_DIGESTS = {"mini": "66162c3fb1f913d8", "quick": "c432b001bb777cae"}
TRAIN_KEYS = {"mini": "dbc091d5f5abcad2", "quick": "a7a0455de7a6ece8"}
METRICS_KEYS = {"mini": "b1f8000eefa1b2ba", "quick": "77eb4564f6ebd5d2"}


def planned(name: str) -> dict[str, str]:
    """Key of each stage of a cell, by its kind; of several of a kind the one of the target."""
    given = cell(recipe=RECIPES[name].model_dump(mode="json"), shadow_defense="same")
    stages = list(cell_stage(given).walk())
    return {stage.kind: stage.key for stage in stages}


@pytest.mark.parametrize("name", RECIPE_DIGESTS)
def test_a_recipe_says_what_it_always_said(name: str) -> None:
    said = canonical(RECIPES[name].model_dump(mode="json"))
    assert hashlib.sha256(said.encode()).hexdigest()[:16] == RECIPE_DIGESTS[name]
    changed = RECIPES[name].changed(lora_rank=4).model_dump(mode="json")
    assert changed.keys() == RECIPES[name].model_dump(mode="json").keys()


@pytest.mark.parametrize("name", TRAIN_KEYS)
def test_stages_keep_their_keys(name: str) -> None:
    keys = planned(name)
    assert keys["train"][:16] == TRAIN_KEYS[name]
    assert keys["metrics"][:16] == METRICS_KEYS[name]
