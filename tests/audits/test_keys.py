"""That audits exist moves no key of a run; and what is in an audit's own."""

from __future__ import annotations

import hashlib

import pytest
from cells import cell, component

from bench.audits.graph import audit_stage
from bench.pipeline import cell_stage
from bench.specs import Adopted, Audited, Cell

RECIPE = {"name": "quick", "epochs": 12, "batch": 16, "lr": 2e-4, "keep": [6], "board": False}
AS_BEFORE = [
    (
        {},
        "1c6d90cf3264a38b32855e324426399570d8b7fb1bf9431e8df4f3d84b5176e8",
        "186f8274ee3a50937d99e9fdadbca842ffaf8d9516650af8489cfbb99012aba3",
    ),
    (
        {"attack": component("ref_loss", reference="shadow"), "seed": 1},
        "a7390b830b8948e853784d3fd06d78a47da38944f1a09f68a43c0dfed9a4a2cc",
        "516d453db29a759fed4b0b4ceffc43048a95d801616633ec87a67f4c5dbfab49",
    ),
    (
        {"canaries": 16, "shadow": "resplit", "at": 6},
        "836d4671413def20fbe7bb553989860b9fab1dbb998725f1f260b7bfa1aab961",
        "1740a6133d3eef7469a15e7db615237c92f7476bae1e94c5ed533d4c1110d442",
    ),
]


@pytest.mark.parametrize(("changed", "end", "all_of_them"), AS_BEFORE)
def test_the_keys_of_runs_are_what_they_were(changed, end, all_of_them):
    metrics = cell_stage(cell(recipe=RECIPE, **changed))
    keys = "".join(sorted(stage.key for stage in metrics.walk()))
    assert (metrics.key, hashlib.sha256(keys.encode()).hexdigest()) == (end, all_of_them)


def adopted(**changed: str) -> Adopted:
    usual = {"path": "/a", "label": "a", "form": "peft", "identity": "model-1"}
    return Adopted(**usual | changed)


def audited(target: Adopted | None = None, **changed: object) -> Cell:
    usual = {"target": target or adopted(), "knows_base": True, "parts": {"members": "m"}}
    return cell(data={"members": "folder:/m"}, audited=Audited(**usual | changed))


def test_where_a_model_lies_is_in_no_key_and_what_it_is_is():
    key = audit_stage(audited()).key
    assert audit_stage(audited(adopted(path="/b"))).key == key
    assert audit_stage(audited(adopted(identity="model-2"))).key != key


def kinds(given: Cell) -> list[str]:
    return sorted(stage.kind for stage in audit_stage(given).walk())


def test_an_audit_trains_nothing_without_a_shadow_and_generates_nothing():
    usual = ["blind", "duplicates", "metrics", "split"]
    assert kinds(audited()) == sorted([*usual, "adopt", *["features", "scores"] * 2])
    assert kinds(audited(knows_base=False)) == sorted([*usual, "adopt", "features", "scores"])


def test_a_shadow_is_trained_or_adopted():
    auto = kinds(audited(trains_shadow=True))
    assert (auto.count("train"), auto.count("adopt")) == (1, 1)
    given = kinds(audited(shadow=adopted(identity="model-2")))
    assert (given.count("train"), given.count("adopt")) == (0, 2)
    assert auto.count("features") == given.count("features") == 3
