"""The worst of several attacks: chosen and measured on other pairs, in every replicate."""

from __future__ import annotations

import numpy as np
import pytest

from bench.stats.roc import tpr_at_fpr
from bench.stats.worst import Resamples, SeedScores, null_band, worst_case

SIZES = [(500, 500)] * 3


@pytest.fixture(scope="module")
def resamples():
    return Resamples.of(SIZES, replicates=400)


def attacked(gains, rng, sizes=SIZES):
    """Normal scores, members of attack a higher by gains[a]."""
    lift = np.array(gains, dtype=float)[:, None]
    return [
        SeedScores(rng.normal(size=(len(gains), m)) + lift, rng.normal(size=(len(gains), n)))
        for m, n in sizes
    ]


def test_it_is_the_mean_of_both_halves_under_the_attack_that_the_other_half_chose(resamples):
    scores = attacked([0.2, 1.5, 0.9], np.random.default_rng(0))
    found = worst_case(scores, resamples).tpr
    assert found.chosen == (1, 1)
    halves = []
    for side in (0, 1):
        rates = []
        for one, (members, holdouts) in zip(scores, resamples.halves, strict=True):
            a, b = (inside if side == 0 else ~inside for inside in (members, holdouts))
            rates.append(tpr_at_fpr(one.members[1][a], one.holdouts[1][b]))
        halves.append(np.mean(rates))
    assert found.value == pytest.approx(np.mean(halves), abs=1e-12)


def test_the_worst_by_auc_is_another_attack_than_the_worst_by_tpr(resamples):
    rng = np.random.default_rng(7)
    scores = []
    for m, n in SIZES:
        # The second finds a few members for sure and nothing else; the first a little of all.
        members = np.stack([rng.normal(size=m) + 0.8, rng.normal(size=m)])
        members[1, : m // 5] = 10
        scores.append(SeedScores(members, rng.normal(size=(2, n))))
    found = worst_case(scores, resamples)
    assert found.tpr.chosen == (1, 1)
    assert found.auc.chosen == (0, 0)
    assert found.auc.value > 0.65
    assert abs(np.mean(found.auc.draws) - found.auc.value) < 0.01


def test_attacks_that_know_nothing_stay_at_chance_however_many(resamples):
    band = null_band(tuple(SIZES))
    rng = np.random.default_rng(1)
    naive, fair = [], []
    for _ in range(40):
        scores = attacked([0.0] * 8, rng)
        fair.append(worst_case(scores, resamples).tpr.value)
        rates = [
            np.mean([tpr_at_fpr(s.members[a], s.holdouts[a]) for s in scores]) for a in range(8)
        ]
        naive.append(max(rates))
    error = np.std(fair) / np.sqrt(len(fair))
    assert abs(np.mean(fair) - band.value) < 3 * error
    assert np.mean(naive) > band.value + 5 * error  # what the halves are for


def test_an_attack_that_is_added_and_weaker_changes_nothing(resamples):
    scores = attacked([1.5], np.random.default_rng(2))
    alone = worst_case(scores, resamples).tpr
    more = [SeedScores(np.vstack([s.members, s.members * 0]), np.vstack([s.holdouts] * 2))
            for s in scores]  # fmt: skip
    joined = worst_case(more, resamples).tpr
    assert joined.value == alone.value
    assert np.array_equal(joined.draws, alone.draws)


def test_replicates_are_shared_by_models_and_do_not_depend_on_who_else_is_there():
    first, second = (Resamples.of(SIZES, replicates=50) for _ in range(2))
    assert np.array_equal(first.seeds, second.seeds)
    for one, other in zip(first.counts, second.counts, strict=True):
        assert all(np.array_equal(a, b) for x, y in zip(one, other, strict=True)
                   for a, b in zip(x, y, strict=True))  # fmt: skip


def test_halves_part_the_pairs_and_draws_keep_their_number(resamples):
    for (members, holdouts), counts in zip(resamples.halves, resamples.counts, strict=True):
        assert members.sum() == holdouts.sum() == 250
        for drawn in counts:
            assert all((side.sum(axis=1) == 250).all() for side in drawn)
    assert np.allclose(resamples.seeds.sum(axis=1), 1)


def test_seeds_that_differ_widen_the_interval(resamples):
    rng = np.random.default_rng(3)
    alike = attacked([1.2], rng)
    apart = [
        SeedScores(one.members + shift, one.holdouts)
        for one, shift in zip(attacked([1.2], rng), (-1.0, 0.0, 1.0), strict=True)
    ]
    width = [np.ptp(worst_case(s, resamples).tpr.estimate()[1:3]) for s in (alike, apart)]
    assert width[1] > 1.5 * width[0]


def test_the_null_band_is_that_of_one_attack_without_signal():
    band = null_band(((500, 500),))
    rng, pairs = np.random.default_rng(4), [(500, 500)]
    resamples = Resamples.of(pairs, replicates=2)
    found = [worst_case(attacked([0.0], rng, pairs), resamples).tpr.value for _ in range(600)]
    inside = np.mean([band.low <= value <= band.high for value in found])
    assert 0.92 <= inside <= 0.99
    assert np.mean(found) == pytest.approx(band.value, abs=0.001)


def test_more_attacks_that_know_nothing_widen_the_band_and_leave_its_mean():
    one, many = (null_band(tuple(SIZES), attacks) for attacks in (1, 8))
    assert many.value == pytest.approx(one.value, abs=0.0005)
    assert many.high > one.high
    rng, resamples = np.random.default_rng(6), Resamples.of(SIZES, replicates=2)
    found = [worst_case(attacked([0.0] * 8, rng), resamples).tpr.value for _ in range(400)]
    assert np.mean(np.array(found) > many.high) <= 0.05  # of 2.5 % wanted


@pytest.mark.parametrize("sizes", [[(500, 500)], [(500, 499)] * 3])
def test_other_pairs_than_those_of_the_resamples_are_refused(resamples, sizes):
    with pytest.raises(ValueError, match="resamples"):
        worst_case(attacked([1.0], np.random.default_rng(0), sizes), resamples)


def test_a_class_that_cannot_be_halved_is_refused():
    with pytest.raises(ValueError, match="at least 2"):
        Resamples.of([(500, 1)])


@pytest.mark.slow
@pytest.mark.parametrize("gains", [[0.0] * 8, [0.9, 0.8, 0.6, 0.5] + [0.1] * 4])
def test_the_interval_covers_what_the_worst_attack_finds(gains):
    """300 simulated models of 500 + 500 pairs at 3 seeds, 8 attacks.

    Truth: what the attack that is worst in truth gives at these sizes on average.
    """
    resamples = Resamples.of(SIZES)
    rng = np.random.default_rng(5)
    truth = np.mean(
        [worst_case(attacked(gains[:1], rng), Resamples.of(SIZES, 2)).tpr.value for _ in range(400)]
    )
    covered = []
    for _ in range(300):
        low, high = worst_case(attacked(gains, rng), resamples).tpr.estimate()[1:3]
        covered.append(low <= truth <= high)
    assert np.mean(covered) >= 0.92
