"""A defense is held against undefended training that stopped earlier, at equal utility."""

from __future__ import annotations

import math

import pytest

from bench.boards.frontier import Point, at_cost, frontier, gains, point, undefended
from bench.boards.rows import collect


def place(cost, auc):
    return Point(cost, auc, 0.01, "")


def rows_of(*records):
    return collect((stage.spec["params"]["cell"], result) for stage, result in records)


def test_the_frontier_is_what_no_other_point_beats_in_both():
    points = [place(3, 0.6), place(1, 0.9), place(2, 0.95), place(2.5, 0.7), place(4, 0.6)]
    assert [(p.cost, p.auc) for p in frontier(points)] == [(1, 0.9), (2.5, 0.7), (3, 0.6)]
    assert frontier([]) == []


def test_between_two_points_lies_the_line():
    best = [place(1, 0.9), place(3, 0.5)]
    assert at_cost(best, 1)[0] == 0.9
    assert at_cost(best, 2)[0] == pytest.approx(0.7)
    assert at_cost(best, 2)[1] == pytest.approx(math.hypot(0.005, 0.005))
    assert at_cost(best, 3)[0] == at_cost(best, 99)[0] == 0.5
    assert at_cost(best, 0.9) is None
    assert at_cost([], 1) is None


@pytest.fixture
def path(metrics):
    """Undefended: loss .2 at AUC .5, .1 at .9, and slower .15 at .6."""

    def made(auc, loss, **changed):
        stage, result = metrics(auc=auc, **changed)
        estimate = result["utility"]["held_out_loss"]
        result["utility"]["held_out_loss"] = estimate | {
            "value": loss, "low": loss - 0.01, "high": loss + 0.01
        }  # fmt: skip
        return stage, result

    return made


def test_a_gain_is_what_stopping_earlier_leaks_more_at_equal_loss(path):
    rows = rows_of(
        path(0.5, 0.2, at=0),
        path(0.9, 0.1),
        path(0.6, 0.15, defense="learning_rate"),
        path(0.55, 0.125, defense="good"),
        path(0.85, 0.125, defense="bad"),
        path(0.55, 0.05, defense="best"),
    )
    *known, good, bad, best = rows
    assert [undefended(row) for row in rows] == [True] * 3 + [False] * 3
    # On the line from (.1, .9) to (.15, .6) at .125 stands .75.
    assert gains(good, rows)["equal loss"].startswith("+20.0 [")
    assert gains(bad, rows)["equal loss"].startswith("-10.0 [")
    assert gains(best, rows)["equal loss"] == "no undefended model is as good"
    assert gains(known[1], rows)["equal loss"].startswith("+0.0 [")
    assert gains(good, [known[1], good])["equal loss"] == ""


def test_only_the_same_attack_makes_the_frontier(path):
    rows = rows_of(
        path(0.5, 0.2, at=0, attack="other"),
        path(0.9, 0.1, attack="other"),
        path(0.7, 0.15, defense="good"),
    )
    assert gains(rows[2], rows)["equal loss"] == ""


def test_the_frontier_was_asked_with_the_same_captions(path):
    rows = rows_of(
        path(0.5, 0.2, at=0),
        path(0.9, 0.1),
        path(0.99, 0.11, view="pseudo"),
        path(0.5, 0.15, view="pseudo", at=0),
        path(0.6, 0.15, defense="good"),
        path(0.6, 0.15, defense="good", view="defended"),
        path(0.6, 0.15, defense="good", view="pseudo"),
    )
    *_, good, knowing, blind = rows
    assert gains(good, rows)["equal loss"].startswith("+10.0 [")
    assert gains(knowing, rows)["equal loss"].startswith("+10.0 [")
    assert gains(blind, rows)["equal loss"].startswith("-10.0 [")


def test_the_interval_has_the_errors_of_both(path):
    rows = rows_of(path(0.5, 0.2, at=0), path(0.9, 0.1), path(0.6, 0.1, defense="good"))
    text = gains(rows[2], rows)["equal loss"]
    half = point(rows[1], "held_out_loss").half
    together = 100 * math.hypot(half, half)
    assert text == f"+30.0 [{30 - together:+.1f}, {30 + together:+.1f}]"
