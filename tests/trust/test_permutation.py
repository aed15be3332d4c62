"""Label permutation: chance whatever the scores, and their own rank beside it."""

from __future__ import annotations

import numpy as np
import pytest

from bench.rng import generator
from bench.stats import auc
from bench.trust import permutation
from bench.trust.permutation import DRAWS, MORE, permutation_gate, permuted_aucs

RNG = generator("permutation")


@pytest.mark.parametrize("sizes", [(500, 500), (40, 300), (3, 4)])
@pytest.mark.parametrize("digits", [6, 0])
def test_permuted_figures_are_those_of_the_plain_definition(sizes, digits):
    scores = RNG.normal(size=sum(sizes)).round(digits)
    is_member = np.arange(sum(sizes)) < sizes[0]
    areas = permuted_aucs(scores, is_member, 5, generator("x"))
    dealt = generator("x").permuted(np.tile(is_member, (5, 1)), axis=1)
    expected = [auc(scores[chosen], scores[~chosen]) for chosen in dealt]
    assert areas == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("gain", [0.0, 3.0])
def test_it_passes_whatever_leaks_and_says_how_odd_the_scores_are(gain):
    is_member = np.arange(1000) < 500
    gate = permutation_gate(RNG.normal(size=1000) + gain * is_member, is_member)
    assert gate.passed
    assert abs(gate.figures["mean"] - 0.5) < 0.01
    assert gate.figures["sd"] == pytest.approx(0.0183, abs=0.003)
    assert gate.figures["p"] == pytest.approx(1 / (1 + DRAWS)) if gain else gate.figures["p"] > 0.01


def test_equal_scores_are_chance():
    gate = permutation_gate(np.zeros(100), np.arange(100) < 30)
    assert gate.passed
    assert gate.figures["p"] == 1.0


def test_no_row_fails_by_chance():
    is_member = np.arange(60) < 30
    for seed in range(1000):
        scores = generator("row", seed).normal(size=60)
        assert permutation_gate(scores, is_member, seed).passed


def test_figures_that_favour_one_side_fail(monkeypatch):
    """Ties counted for the members: of whole-numbered scores an AUC above one half."""

    def ranks(values):
        return np.searchsorted(np.sort(values), values, side="right").astype(float)

    monkeypatch.setattr(permutation, "midranks", ranks)
    gate = permutation_gate(RNG.integers(0, 3, 400), np.arange(400) < 200)
    assert not gate.passed
    assert gate.figures["draws"] == MORE


def test_an_auc_of_the_row_that_is_not_that_of_its_ranks_fails(monkeypatch):
    rng = np.random.default_rng(0)
    scores, members = rng.normal(size=200), np.arange(200) < 100
    assert permutation_gate(scores, members).passed
    monkeypatch.setattr("bench.trust.permutation.auc", lambda *sides: 0.99)
    assert not permutation_gate(scores, members).passed
