"""What a run prints beside its figures: every reason to doubt them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bench.boards.rows import collect
from bench.boards.summary import figures, notes, tables

Make = Callable[..., Any]


def rows_of(*made: Any) -> Any:
    return collect((stage.params["cell"], result) for stage, result in made)


def test_seeds_of_one_combination_are_one_row(metrics: Make) -> None:
    rows = rows_of(metrics(seed=0, auc=0.6), metrics(seed=1, auc=0.7), metrics("good", seed=0))
    assert [(row.defense, len(row.results)) for row in rows] == [("none", 2), ("good", 1)]
    auc = rows[0].figure("auc")
    assert auc.estimate.value == pytest.approx(0.65)
    assert auc.seed_sd == pytest.approx(0.0707, abs=1e-4)
    assert rows[1].figure("auc").seed_sd is None


def test_figures_for_programs_are_shares_and_for_eyes_percentages(metrics: Make) -> None:
    rows = rows_of(metrics(auc=0.625, tpr=0.1))
    assert figures(rows)[0]["auc"] == 0.625
    assert tables(rows)[0][0]["AUC"] == "62.5 [60.5, 64.5]"
    assert tables(rows)[0][0]["TPR@1%FPR"] == "10.0 [8.0, 12.0]"


def test_a_refused_figure_is_said_to_be_refused(metrics: Make) -> None:
    rows = rows_of(metrics(tpr=None))
    assert "refused" in tables(rows)[0][0]["TPR@1%FPR"]
    assert figures(rows)[0]["tpr_at_1fpr"] is None
    assert any("refused" in note for note in notes(rows))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, "chance: AUC 50"),
        ({}, "real against real"),
        ({}, "Fewer than three seeds"),
        ({"board": False}, "NOT for boards"),
        ({"base_auc": 0.6}, "WARNING none/loss: the base model"),
        ({"notes": {"captions changed": 0.98765}}, "none: captions changed 0.988."),
    ],
)
def test_what_a_reader_must_know_is_told(metrics: Make, changed: dict[str, Any], told: str) -> None:
    assert any(told in note for note in notes(rows_of(metrics(**changed))))


def test_a_sound_run_is_not_suspected(metrics: Make) -> None:
    said = notes(rows_of(*(metrics(seed=seed) for seed in range(3))))
    assert not any("WARNING" in note or "NOT" in note or "Fewer" in note for note in said)


def test_epochs_are_shown_where_there_are_several(metrics: Make) -> None:
    rows = rows_of(metrics(), metrics(at=10), metrics(at=0))
    assert [record["epoch"] for record in tables(rows)[0]] == [80, 10, 0]
    assert "epoch" not in tables(rows[:1])[0][0]
