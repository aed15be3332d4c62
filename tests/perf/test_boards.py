"""What a board costs: the replicates of one row, and a page of 200 rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_entries import entry

from bench.boards import defenses
from bench.boards.leaderboard import Page
from bench.boards.standing import sizes, standing
from bench.entries.entry import Entry
from bench.stats.worst import Resamples, SeedScores, worst_case


@pytest.mark.benchmark(group="statistics")
def test_replicates_of_a_row_with_24_attackers(benchmark) -> None:
    """8 attacks x 3 views, 2,500 + 2,500 pairs, B = 2,000, the maximum inside: under 5 s."""
    rng = np.random.default_rng(0)
    lifts = np.linspace(0, 2, 24)[:, None]
    scores = [SeedScores(rng.normal(size=(24, 2500)) + lifts, rng.normal(size=(24, 2500)))]

    def row():
        return worst_case(scores, Resamples.of([(2500, 2500)]))

    benchmark.pedantic(row, rounds=3)


@pytest.mark.benchmark(group="boards")
def test_rendering_a_board_of_200_rows(benchmark) -> None:
    """From standings to the page, ranks and tiers included: under 1 s."""
    some = [entry(f"d{i}", {"clid_th": 0.1 * i}, 0.12 + 0.001 * i) for i in range(8)]
    path = [entry("none", {"clid_th": 0.3 * i}, 0.2 - 0.01 * i, 10 * i) for i in range(1, 6)]
    pairs = sizes(some[0])
    resamples = Resamples.of(pairs)
    known = [standing(one, resamples, one.seeds) for one in (*some, *path)]
    standings = [_copy(known[i % len(known)], i) for i in range(200 + len(path))]

    def page() -> str:
        tables = {"Defenses": defenses.ranked(standings),
                  "Frontier": defenses.frontier_points(standings)}  # fmt: skip
        return Page("x", "x", [], tables, {"Defenses": defenses.FURTHER}).markdown()

    benchmark.pedantic(page, rounds=3)
    assert page().count("\n| ") > 200


def _copy(one, number: int):
    """Another model with the same figures."""
    about = one.entry.about.model_copy(update={"name": f"e{number}"})
    made = Entry(Path(f"e{number}"), about, one.entry.arrays)
    return replace(one, entry=made)
