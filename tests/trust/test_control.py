"""The base control: clean boards stay clean, and what it must find."""

from __future__ import annotations

import numpy as np
import pytest

from bench.rng import generator
from bench.stats import Estimate, mean_over_seeds
from bench.stats.intervals import auc_interval
from bench.trust.control import TOGETHER, control_gate, stretched


def made(value, half, level=0.95):
    return Estimate(value, value - half, value + half, "made up", level)


def drawn(rng, shift=0.0, n=500):
    return auc_interval(rng.normal(size=n) + shift, rng.normal(size=n))


def test_no_control_of_a_clean_board_fails_by_chance():
    """Forty controls of three seeds, thirty times: at most one board in twenty is greyed."""
    greyed = 0
    for board in range(30):
        rng = generator("board", board)
        gates = [control_gate([drawn(rng) for _ in range(3)]) for _ in range(TOGETHER)]
        greyed += any(not gate.passed for gate in gates)
    assert greyed <= 5  # P(more) < 0.4 % at the nominal rate


@pytest.mark.parametrize("shift", [0.3, -0.3])
def test_a_base_that_tells_the_sides_apart_fails_either_way(shift):
    rng = generator("told", shift > 0)
    gate = control_gate([drawn(rng, shift) for _ in range(3)])
    assert not gate.passed
    assert gate.figures["looks"] == 4


def test_one_bad_seed_is_not_averaged_away():
    """The mean of the three, .533, is within what forty controls reach by chance."""
    good, bad = made(0.5, 0.035), made(0.6, 0.034)
    low, high = stretched(mean_over_seeds([good, good, bad]).estimate, 1 - 0.05 / 160)
    assert low < 0.5 < high
    assert not control_gate([good, good, bad]).passed
    assert control_gate([good, good, good]).passed


def test_a_single_seed_is_one_look_and_more_controls_ask_more():
    estimate = made(0.54, 0.035)  # 2.24 standard errors
    assert not control_gate([estimate], together=1).passed
    assert control_gate([estimate], together=2).passed
    figures = control_gate([estimate], together=2).figures
    assert figures["level"] == 0.975
    assert figures["low"] == pytest.approx(0.54 - 0.035 * 2.2414 / 1.96, abs=1e-5)


def test_perfect_and_empty_intervals_are_no_error():
    apart = auc_interval(np.ones(500), np.zeros(500))
    assert not control_gate([apart]).passed
    assert control_gate([auc_interval([1.0], [0.0])]).passed
    with pytest.raises(ValueError, match="estimates"):
        control_gate([])
