"""The blind gates: exact where nothing separates, failed where something does, at any n."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from bench.data import tiles
from bench.data.splits import make_split
from bench.rng import generator
from bench.trust.blind import LEVEL, blind_gate, blind_gates
from bench.trust.clues import caption_clues, picture_clues, picture_statistics

TILES = tiles.pairs()


def alone(n):
    return [[i] for i in range(n)]


def judged(members, holdouts):
    """Both gates, without the network: seconds instead of a minute."""
    pairs = TILES.select(sorted([*members, *holdouts]))
    statistics = [picture_statistics(p.image, np.asarray(p.image)) for p in pairs]
    clues = {
        "captions": caption_clues(pairs.originals),
        "pictures": picture_clues(statistics, None),
    }
    return blind_gates(pairs, members, clues)


def test_a_split_by_subject_fails_both():
    kind = {line["id"]: line["type"] for line in tiles.records()}
    monsters = [id_ for id_ in TILES.ids if kind[id_] == "MONSTER"]
    places = [id_ for id_ in TILES.ids if kind[id_] in ("furniture", "terrain")]
    gates, scores = judged(monsters, places[: len(monsters)])
    assert [gate.name for gate in gates] == ["blind captions", "blind pictures"]
    for gate, name in zip(gates, ("captions", "pictures"), strict=True):
        assert not gate.passed
        assert gate.figures["auc"] > 0.85
        assert gate.figures["auc_p"] == LEVEL
        labels = np.isin(sorted([*monsters, *places[: len(monsters)]]), monsters)
        assert gate.figures["auc"] == pytest.approx(roc_auc_score(labels, scores[name]))


@pytest.mark.parametrize("seed", [0, 1])
def test_random_splits_pass_and_say_what_they_would_have_seen(seed):
    split = make_split(TILES, tiles.identity(), seed)
    for gate in judged(split.members, split.holdouts)[0]:
        assert gate.passed
        assert gate.figures["rule"] == "rank"
        assert gate.figures["auc_low"] < 0.5 < gate.figures["auc_high"]
        assert 0.55 < gate.figures["seen_from"] < 0.62
        assert gate.figures["tpr_null"] == pytest.approx(6 / 501)


def test_the_test_is_exact_even_where_clusters_share_what_identifies_them():
    """Sixty clusters of three alike: folds that cut them would "recognise" every one."""
    ranks = []
    for seed in range(100):
        rng = generator("exact", seed)
        clues = np.repeat(rng.normal(size=(60, 8)), 3, axis=0)
        is_member = np.repeat(rng.permutation(60) < 30, 3)
        groups = [[3 * i, 3 * i + 1, 3 * i + 2] for i in range(60)]
        gate, _ = blind_gate("x", clues, is_member, groups, rng)
        ranks.append(gate.figures["auc_p"])
    for level in (0.1, 0.5):
        slack = 3 * np.sqrt(level * (1 - level) / 100)
        assert np.mean(np.array(ranks) <= level) == pytest.approx(level, abs=slack)
    assert np.mean(np.array(ranks) <= LEVEL) <= 4 / 100


def test_a_few_pairs_that_give_themselves_away_fail_by_tpr():
    """Five in a hundred members carry a mark: an AUC of .525 is within chance, their TPR not."""
    rng = generator("few")
    is_member = np.arange(1000) < 500
    clues = np.c_[rng.normal(0, 0.1, (1000, 3)), np.zeros(1000)]
    clues[:25, 3] = 8
    gate, _ = blind_gate("x", clues, is_member, alone(1000), rng)
    assert gate.figures["auc"] < gate.figures["auc_others_highest"]
    assert gate.figures["tpr"] > gate.figures["tpr_others_highest"]
    assert not gate.passed


@pytest.mark.parametrize(("shift", "passed"), [(0.02, True), (0.2, False)])
def test_with_many_pairs_the_published_bound_decides(shift, passed):
    """At 7,000 a class with two clues: AUC .506 is let through, .556 is not."""
    rng = generator("many", 1)
    is_member = np.arange(14_000) < 7_000
    clues = rng.normal(size=(14_000, 2))
    clues[:7_000, 0] += shift
    gate, _ = blind_gate("x", clues, is_member, alone(14_000), rng)
    assert gate.figures["rule"] == "bound"
    assert gate.passed == passed
    assert (gate.figures["auc_high"] <= 0.53) == passed


def test_small_sets_are_judged_by_auc_alone():
    rng = generator("small")
    is_member = np.arange(40) < 20
    clues = rng.normal(size=(40, 2)) + 3 * is_member[:, None]
    gate, _ = blind_gate("x", clues, is_member, alone(40), rng)
    assert gate.figures["tpr"] is gate.figures["tpr_p"] is None
    assert not gate.passed
    again, _ = blind_gate("x", clues, is_member, alone(40), generator("other"))
    assert again.figures["auc"] != gate.figures["auc"]  # other folds
    first, second = (
        blind_gate("x", clues, is_member, alone(40), generator("same"))[0] for _ in range(2)
    )
    assert first == second
    unable = blind_gate("x", np.empty((40, 0)), is_member, alone(40), rng)[0]
    assert unable.passed
