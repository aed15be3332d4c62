"""The graph of a cell: who reads what, what is shared, and what a reference has never seen."""

from __future__ import annotations

import pytest
from cells import cell, component

from bench.executors.frontier import Frontier
from bench.pipeline import EARLY, all_stages, cell_stage
from bench.training.recipe import RECIPES


def reading(name="ref_loss", reference="shadow", **changed):
    return cell(attack=component(name, reference=reference), **changed)


def handed_out(stages):
    """The groups in which a run that is alone hands out these stages."""
    frontier, found = Frontier(stages), []
    while frontier:
        groups = frontier.groups(len(stages), lambda group: False, idle=True)
        assert groups
        for group in groups:
            frontier.take(group)
        for stage in (stage for group in groups for stage in group):
            frontier.stored(stage)
        found += groups
    return found


def of_kind(cells, kind, **params):
    return [
        stage
        for stage in all_stages(cells)
        if stage.kind == kind and all(stage.params[k] == v for k, v in params.items())
    ]


def test_references_are_trained_once_for_all_defenses_and_attacks_of_a_seed():
    cells = [
        reading(name, defense=component(defense))
        for name in ("ref_loss", "ref_align")
        for defense in ("none", "shuffle", "other")
    ]
    parts = [stage.params["part"] for stage in of_kind(cells, "train")]
    assert sorted(parts) == ["members"] * 3 + ["shadow_all", "shadow_but_0", "shadow_but_1",
                                               "shadow_members"]  # fmt: skip
    assert len(of_kind(cells, "reference")) == 2 * 3


def test_references_are_undefended_and_stop_early():
    everything = of_kind([reading()], "train")
    for stage in everything:
        if stage.params["part"] not in ("members", "shadow_members"):
            assert stage.params["defense"]["name"] == "none"
            assert stage.params["recipe"]["epochs"] == round(EARLY * 12)
            assert stage.params["recipe"]["keep"] == []


def test_a_pair_is_never_judged_by_a_reference_that_saw_it():
    """Target and base by the one on all of the shadow's pairs; each half of these by the other."""
    judged = {}
    for stage in of_kind([reading()], "features"):
        for role, below in stage.inputs.items():
            if role.startswith("reference"):
                model = below.inputs["model"].params["part"]
                judged.setdefault(stage.params["part"], set()).add((below.params["part"], model))
    assert judged == {
        "target": {("target", "shadow_all")},
        "shadow": {("fold_0", "shadow_but_0"), ("fold_1", "shadow_but_1")},
    }


@pytest.mark.parametrize(
    ("reference", "weights"), [("base", None), ("/w.safetensors", "/w.safetensors")]
)
def test_other_references_train_nothing(reference, weights):
    cells = [reading(reference=reference)]
    assert len(of_kind(cells, "train")) == 2
    asked = of_kind(cells, "reference")
    assert {stage.params["part"] for stage in asked} == {"target", "shadow"}
    assert all("model" not in s.inputs and s.hints.get("weights") == weights for s in asked)


def test_an_attack_without_reference_has_none():
    assert of_kind([cell()], "reference") == []


def test_a_resplit_shadow_leaves_the_target_as_it_was():
    usual, resplit = cell_stage(cell()), cell_stage(cell(shadow="resplit"))
    shared = {s.key for s in usual.walk()} & {s.key for s in resplit.walk()}
    assert {s.kind for s in usual.walk() if s.key in shared} >= {"train", "features", "utility"}
    (shadow,) = of_kind([cell(shadow="resplit")], "train", part="shadow_members")
    assert shadow.key not in shared


def test_only_the_defended_view_depends_on_the_defense_beyond_its_model():
    def of_base(view):
        cells = [cell(view=view, defense=component(name)) for name in ("none", "shuffle")]
        return len(of_kind(cells, "features", at=0))

    assert of_base("original") == 1
    assert of_base("defended") == 2


def test_captions_are_made_once_for_a_split():
    pseudo = {"view": "pseudo", "captioner": "mini-clip", "captioner_identity": "c"}
    cells = [cell(defense=component(name), **pseudo) for name in ("none", "shuffle")]
    assert len(of_kind(cells, "captions")) == 1
    assert all("captions" in stage.inputs for stage in of_kind(cells, "features"))


def test_stages_that_ask_one_model_go_to_one_worker():
    cells = [cell(attack=component("mc")), cell(attack=component("clid")), reading()]
    groups = [group for group in handed_out(all_stages(cells)) if len(group) > 1]
    asked = [{(s.kind, s.params.get("part")) for s in group} for group in groups]
    assert {("features", "target")} in asked
    assert {("features", "shadow")} in asked
    for group in groups:
        models = {s.inputs["model"].key if "model" in s.inputs else None for s in group}
        assert len(models) == 1
    (target, *_) = [g for g in groups if "model" in g[0].inputs and g[0].params["part"] == "target"]
    assert target[0].params["attack"]["name"] == "ref_loss"  # what compares predictions goes first


def test_a_fitted_attack_is_shared_by_target_and_control():
    scores = [g for g in handed_out(all_stages([cell()])) if g[0].kind == "scores"]
    assert [len(group) for group in scores] == [2]


def test_another_clip_measures_utility_anew_and_nothing_else():
    (one, other) = (set(all_stages([cell(clip_digest=name)])) for name in ("clip-1", "clip-2"))
    keys = {stage.key for stage in one}
    assert {stage.kind for stage in other if stage.key not in keys} == {"utility", "metrics"}
    (utility,) = of_kind([cell(clip="/clips/a", clip_digest="clip-1")], "utility")
    assert utility.hints["clip"] == "/clips/a"


def test_canaries_change_the_target_and_not_what_the_attacker_trains():
    usual, watched = cell(), cell(canaries=16)
    own, target = (
        [of_kind([one], "train", part=part)[0].key for one in (usual, watched)]
        for part in ("shadow_members", "members")
    )
    assert own[0] == own[1]
    assert target[0] != target[1]


def test_gates_of_a_split_are_shared_by_all_rows_of_a_seed():
    cells = [
        cell(defense=component(defense), attack=component(attack), seed=seed, at=at, shadow=shadow)
        for defense in ("none", "shuffle")
        for attack in ("loss", "mc")
        for seed in (0, 1)
        for at in (None, 6)
        for shadow in ("disjoint", "resplit")
    ]
    for kind in ("blind", "duplicates"):
        assert len(of_kind(cells, kind)) == 2
        assert all(stage.inputs.keys() == {"split"} for stage in of_kind(cells, kind))
    assert all(
        {"blind", "duplicates"} <= stage.inputs.keys() for stage in of_kind(cells, "metrics")
    )


def test_pictures_of_what_is_never_ranked_are_judged_without_the_network():
    (quick,) = of_kind([cell()], "blind")
    (board,) = of_kind([cell(recipe=RECIPES["mini"].model_dump(mode="json"))], "blind")
    assert (quick.params["network"], board.params["network"]) == (False, True)
