"""A real entry says what the run measured, and nothing is lost on the way to a board."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from cells import cell

from bench.boards.rows import collect
from bench.entries import arrays
from bench.entries.build import Wording, _short, build
from bench.entries.checks.figures import difference
from bench.entries.collect import OF_ATTACKER, OF_SEED, OF_TARGET
from bench.entries.entry import parted
from bench.entries.load import load
from bench.entries.places import slug

ATTACKERS = ["loss", "clid_th", "ref_loss[reference=base]"]


def test_it_holds_every_attacker_of_all_runs_at_every_seed(entry):
    assert entry.attackers == ATTACKERS
    assert entry.seeds == [0, 1, 2]
    assert entry.attacker("clid_th").queries == 15
    assert entry.attacker("clid_th").access == "grey"
    assert entry.attacker("ref_loss[reference=base]").reference_queries > 0
    assert not entry.about.provisional


def test_scores_are_those_of_the_store(entry, measured):
    for number, of_seed in enumerate(measured["none"].attackers.values()):
        for seed, one in of_seed.items():
            stored = np.load(one.scores, allow_pickle=False)
            member = stored["is_member"]
            found = entry.scores(ATTACKERS[number], seed)
            np.testing.assert_allclose(found.members, stored["scores"][member], rtol=1e-6)
            np.testing.assert_allclose(found.holdouts, stored["scores"][~member], rtol=1e-6)
            assert entry.ids(seed)[0] == stored["ids"][member].tolist()
            assert entry.ids(seed)[1] == stored["ids"][~member].tolist()


def test_figures_are_those_of_the_metrics_stage_but_for_rounding(entry, measured):
    for number, of_seed in enumerate(measured["none"].attackers.values()):
        for seed, one in of_seed.items():
            outcome = entry.outcome(ATTACKERS[number], seed)
            assert outcome.metrics.auc.value == pytest.approx(one.result["attack"]["auc"]["value"])
            assert outcome.threshold == one.threshold
            assert outcome.threshold_from == "shadow"
            assert entry.utility(seed) == one.result["utility"]
            control = entry.control(ATTACKERS[number], seed)
            assert (control is None) == ("base_control" not in one.result)


def test_boards_read_entries_as_they_read_a_store(entry, measured):
    from_store = collect((one.card, one.result) for of in measured["none"].attackers.values()
                         for one in of.values())  # fmt: skip
    from_entry = collect(entry.results())
    assert [row.attack for row in from_entry] == [row.attack for row in from_store]
    for mine, its in zip(from_entry, from_store, strict=True):
        assert set(mine.card) - set(its.card) <= {"canaries"}
        assert mine.defense == its.defense == "none"
        assert mine.queries == its.queries
        assert mine.figure("auc").text() == its.figure("auc").text()
        assert mine.utility("kid_effnet") == its.utility("kid_effnet")


def test_a_plugin_that_is_not_shipped_brings_its_text(sound):
    (part,) = load(sound / "loud").about.target.defense.parts
    assert "Shouts." in part.text
    assert not part.shipped
    assert part.params == {"factor": 2}


def test_the_same_scores_give_the_same_bytes(measured, clean):
    (one, other) = (build(measured["none"], "none", Wording(), clean) for _ in range(2))
    assert one == other


def test_every_key_of_a_cell_has_its_place():
    assert {*cell().card()} <= {*OF_TARGET, *OF_ATTACKER, *OF_SEED}


def test_names_tell_models_apart(measured):
    model = measured["none"]
    assert slug(model) == "none-tiny"
    model = type(model)(model.card | {"at": 20, "augment": "strong"}, None)
    assert slug(model) == "none-at-0020-strong-tiny"


def test_canaries_stand_apart_from_the_rest():
    ids = np.array(["a", "b", "canary0", "canary1"])
    member = np.array([True, False, True, False])
    scores = np.arange(4, dtype="<f4")
    assert [x.tolist() for x in parted(scores, ids, member, 2)] == [[0], [1]]
    assert [x.tolist() for x in parted(scores, ids, member, 2, canaries=True)] == [[2], [3]]
    # Where nobody put canaries in, a picture may have that name.
    assert [x.tolist() for x in parted(scores, ids, member, 0)] == [[0, 2], [1, 3]]


def test_scores_that_rounding_would_change_are_kept_in_full():
    """A million and a little: single precision would tie them all."""
    member = np.arange(40) % 2 == 0
    near = 1e9 + np.where(member, 1e-3, 0) + np.arange(40) * 1e-6
    assert _short(near, member).dtype == np.float64
    assert _short(np.where(member, 1e300, 0.0), member).dtype == np.float64
    assert _short(np.arange(40.0), member).dtype == np.float32


def test_difference_finds_the_figure():
    assert difference("m", {"a": {"b": 0.5}}, {"a": {"b": 0.5 + 1e-10}}) is None
    assert difference("m", {"a": {"b": 0.5}}, {"a": {"b": 0.51}}) == "m.a.b is 0.5, computed 0.51"
    assert difference("m", {"a": 1}, {"b": 1}) == "m has other fields than are computed"


def test_a_corrupt_store_is_not_submitted(cli, runs, tmp_path):
    store = tmp_path / "store"
    shutil.copytree(runs.store, store)
    (victim, *_) = (store / "stages" / "scores").glob("*/scores.npz")
    victim.write_bytes(victim.read_bytes()[:-1] + b"x")
    ended = cli("submit", runs.board, runs.later, "--store", store, "--out", tmp_path / "out",
                "--allow-dirty")  # fmt: skip
    assert ended.code == 3
    assert "corrupt" in ended.err
    assert not (tmp_path / "out").exists()


def test_arrays_are_read_as_they_were_written():
    given = {"seed0-ids": np.array(["a", "bb"]), "seed0-members": np.array([True, False]),
             "seed0-attacker0-target": np.array([1, 2], dtype="<f4"),
             "seed0-attacker0-base": np.array([1, 2], dtype="<f8")}  # fmt: skip
    found = arrays.read_scores(arrays.write_scores(given), given)
    assert {name: (a.dtype, a.tolist()) for name, a in found.items()} == {
        name: (a.dtype, a.tolist()) for name, a in given.items()
    }
