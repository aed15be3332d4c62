"""A key knows everything that can change a result, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from cells import cell, component
from pydantic import ValidationError

from bench.executors.work import describe
from bench.pipeline import all_stages, cell_stage
from bench.specs import STAGE_VERSIONS, Cell, Sampling, Stage, canonical
from bench.training.recipe import RECIPES, Recipe


def keys(of: Cell) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for stage in cell_stage(of).walk():
        found.setdefault(stage.kind, set()).add(stage.key)
    return found


def recipe(**changed: Any) -> dict[str, Any]:
    return RECIPES["quick"].model_copy(update=changed).model_dump(mode="json")


CHANGES: Mapping[str, dict[str, Any]] = {
    "data": {"data_identity": "data-2"},
    "base": {"base_identity": "base-2"},
    "resolution": {"resolution": 32},
    "recipe epochs": {"recipe": recipe(epochs=13)},
    "recipe rate": {"recipe": recipe(lr=1e-4)},
    "recipe precision": {"recipe": recipe(precision="bf16")},
    "defense": {"defense": component("other")},
    "defense parameter": {"defense": component("shuffle", params={"t": 2})},
    "defense source": {"defense": component("shuffle", source="edited")},
    "augment": {"augment": "none"},
    "view": {"view": "defended"},
    "captioner": {"view": "pseudo", "captioner_identity": "blip-1"},
    "shadow": {"shadow": "resplit"},
    "attack": {"attack": component("pia")},
    "attack parameter": {"attack": component("loss", params={"t": 2})},
    "attack source": {"attack": component("loss", source="edited")},
    "seed": {"seed": 1},
    "checkpoint": {"at": 3},
    "base itself": {"at": 0},
    "number of samples": {"sampling": Sampling(n=10)},
    "steps of sampling": {"sampling": Sampling(steps=10)},
    "guidance": {"sampling": Sampling(guidance=1.0)},
    "Inception weights": {"inception_digest": "6726825d"},
    "CLIP": {"clip_digest": "clip-1"},
    "sampler": {"sampling": Sampling(sampler="dpm++")},
    "precision of queries": {"precision": "bf16"},
}


@pytest.mark.parametrize("what", CHANGES)
def test_every_parameter_is_in_the_key(what: str) -> None:
    assert cell_stage(cell()).key != cell_stage(cell(**CHANGES[what])).key


@pytest.mark.parametrize("field", [f for f in Recipe.model_fields if f != "keep"])
def test_every_field_of_a_recipe_is_in_the_key_of_a_training(field: str) -> None:
    given = RECIPES["quick"].model_dump(mode="json")
    changed = cell(recipe={**given, field: "something else"})
    assert keys(cell())["train"].isdisjoint(keys(changed)["train"])


@pytest.mark.parametrize(
    "moved",
    [
        {"data": "folder:/elsewhere"},
        {"base": "/bases/b"},
        {"clip": "/clips/b"},
        {"asked": 1000},
        {"defense": component("shuffle", path="/elsewhere.py")},
        {"attack": component("loss", path="/elsewhere.py")},
    ],
    ids=["data", "base", "clip", "small set", "defense", "attack"],
)
def test_paths_are_not_in_any_key(moved: dict[str, Any]) -> None:
    assert keys(cell()) == keys(cell(**moved))


def test_hints_are_not_in_the_key() -> None:
    assert Stage("split", {"seed": 0}).key == Stage("split", {"seed": 0}, hints={"data": "x"}).key


def test_the_same_cell_has_the_same_keys_in_another_order_of_parameters() -> None:
    a = component("loss", params={"t": 1, "u": (1, 2)})
    b = component("loss", params={"u": [1, 2], "t": 1})
    assert keys(cell(attack=a)) == keys(cell(attack=b))


def test_inputs_are_in_the_key() -> None:
    below = [Stage("split", {"seed": seed}) for seed in (0, 1)]
    above = [Stage("train", {}, {"split": stage}) for stage in below]
    assert above[0].key != above[1].key


def test_raising_the_version_of_a_kind_makes_it_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    before = keys(cell())
    monkeypatch.setitem(STAGE_VERSIONS, "samples", STAGE_VERSIONS["samples"] + 1)
    after = keys(cell())
    changed = {kind for kind in before if before[kind] != after[kind]}
    assert changed == {"samples", "utility", "metrics"}


def test_an_attack_changes_no_training_and_a_defense_no_shadow() -> None:
    attacks = keys(cell()), keys(cell(attack=component("pia")))
    assert attacks[0]["train"] == attacks[1]["train"]
    assert attacks[0]["utility"] == attacks[1]["utility"]
    defenses = keys(cell()), keys(cell(defense=component("other")))
    assert len(defenses[0]["train"] & defenses[1]["train"]) == 1
    assert defenses[0]["real"] == defenses[1]["real"]


def test_all_stages_come_once_and_after_their_inputs() -> None:
    stages = all_stages([cell(), cell(attack=component("pia")), cell(seed=1)])
    seen: set[str] = set()
    for stage in stages:
        assert stage.key not in seen
        assert seen.issuperset(below.key for below in stage.inputs.values())
        seen.add(stage.key)


def test_a_cell_survives_json() -> None:
    given = cell(at=3, seed=2)
    again = Cell.model_validate_json(given.model_dump_json())
    assert again == given
    assert keys(again) == keys(given)


def test_the_order_to_a_worker_is_plain_json() -> None:
    for stage in cell_stage(cell()).walk():
        order = describe(stage)
        assert json.loads(json.dumps(order))["spec"] == json.loads(canonical(stage.spec))


def test_the_card_says_nothing_of_places() -> None:
    text = canonical(cell(clip="/clips/a", clip_digest="clip-1").card())
    assert "/bases/a" not in text
    assert "/clips/a" not in text
    assert "clip-1" in text
    assert ".py" not in text


def test_specifications_are_frozen_and_know_their_fields() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Sampling().n = 3  # type: ignore[misc]
    with pytest.raises(ValidationError, match="extra"):
        Sampling(pictures=3)  # type: ignore[call-arg]


def test_a_number_that_is_none_has_no_key() -> None:
    with pytest.raises(ValueError, match="JSON"):
        _ = Stage("split", {"t": float("nan")}).key
