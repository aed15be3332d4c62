"""Boards rank what compares, by the worst attack, and say what they do not know."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.boards.leaderboard import boards, render_boards
from bench.store import Store

Make = Callable[..., Any]


def test_a_defense_stands_by_the_worst_attack_on_it(metrics: Make, as_records: Make) -> None:
    (board,) = boards(
        as_records(
            metrics("none", "loss", tpr=0.1),
            metrics("none", "clid_th", tpr=0.6),
            metrics("good", "loss", tpr=0.02),
            metrics("good", "clid_th", tpr=0.05),
            metrics("half", "loss", tpr=0.01),
            metrics("half", "clid_th", tpr=0.3),
        )
    )
    assert list(board.defenses.defense) == ["good", "half", "none"]
    assert list(board.defenses["rank"]) == [1, 2, 3]
    assert list(board.defenses["worst attack"]) == ["clid_th"] * 3
    assert list(board.defenses.attacks) == [2, 2, 2]
    assert list(board.attacks.attack) == ["clid_th", "loss"]
    assert list(board.attacks["mean TPR@1%FPR"]) == ["31.7", "4.3"]


def test_attacks_are_compared_on_defenses_that_all_of_them_met(
    metrics: Make, as_records: Make
) -> None:
    (board,) = boards(
        as_records(
            metrics("none", "loss", tpr=0.1),
            metrics("none", "clid_th", tpr=0.2),
            metrics("easy", "loss", tpr=0.9),
        )
    )
    assert list(board.attacks.attack) == ["clid_th", "loss"]
    assert list(board.attacks.targets) == [1, 1]


def test_attacks_without_a_common_defense_are_not_ranked(metrics: Make, as_records: Make) -> None:
    (board,) = boards(as_records(metrics("a", "loss"), metrics("b", "clid_th")))
    assert len(board.attacks) == 0
    assert "## Attacks" in board.markdown()
    assert json.loads(render_boards([board], "json"))["rows"]


@pytest.mark.parametrize(
    "kept_out",
    [{"board": False}, {"at": 10}, {"at": 0}, {"tpr": None}],
    ids=["recipe not for boards", "checkpoint", "base", "too few pairs"],
)
def test_what_is_not_for_boards_stays_out(
    metrics: Make, as_records: Make, kept_out: dict[str, Any]
) -> None:
    assert boards(as_records(metrics(**kept_out))) == []


@pytest.mark.parametrize(
    "other",
    [
        {"data_label": "scenes", "data_identity": "data-2"},
        {"data_identity": "data-2"},
        {"base_label": "sd", "base_identity": "base-2"},
        {"base_identity": "base-2"},
        {"augment": "none"},
    ],
    ids=["data", "content of the data", "base", "content of the base", "augmentation"],
)
def test_rows_that_do_not_compare_are_on_boards_of_their_own(
    metrics: Make, as_records: Make, other: dict[str, Any]
) -> None:
    made = boards(as_records(metrics(), metrics(defense="good", **other)))
    assert [list(board.defenses.defense) for board in made] == [["none"], ["good"]]
    assert len({board.name for board in made}) == 2


def test_an_edited_plugin_replaces_its_earlier_row(metrics: Make, as_records: Make) -> None:
    (board,) = boards(as_records(metrics(tpr=0.9, source="old"), metrics(tpr=0.1, source="new")))
    assert list(board.defenses["TPR@1%FPR"]) == ["10.0 [8.0, 12.0]"]
    assert list(board.defenses.attacks) == [1]


def test_fewer_than_three_seeds_are_provisional(metrics: Make, as_records: Make) -> None:
    three = [metrics(seed=seed) for seed in range(3)]
    (few,), (enough,) = boards(as_records(*three[:2])), boards(as_records(*three))
    assert any("Provisional" in note for note in few.notes)
    assert not any("Provisional" in note for note in enough.notes)
    assert list(enough.defenses.seeds) == [3]


def test_strange_names_break_no_table_and_no_page(metrics: Make, as_records: Make) -> None:
    (board,) = boards(
        as_records(metrics(defense="a|b[x=<script>]", data_label="../|<i>my</i> pictures"))
    )
    page = board.markdown()
    assert "<script>" not in page
    assert "<i>" not in page
    assert "/" not in board.name
    assert not board.name.startswith(".")
    rows = [line for line in page.splitlines() if line.startswith("| 1 | a")]
    header = next(line for line in page.splitlines() if line.startswith("| rank | defense"))
    assert rows[0].replace("\\|", "").count("|") == header.count("|")


@pytest.fixture
def filled(tmp_path: Path, metrics: Make) -> Store:
    store = Store(tmp_path / "store")
    made = [
        metrics("none", "loss"),
        metrics("good", "loss", tpr=0.02),
        metrics("none", "loss", data_label="scenes", data_identity="data-2"),
        metrics("none", "loss", board=False, data_label="quick"),
    ]
    for stage, result in made:
        folder = store.work(stage.key) / "out"
        folder.mkdir(parents=True)
        store.publish("metrics", stage.key, stage.spec, folder, result, {"seconds": 1.0})
    return store


def test_the_pages_are_written_and_printed(
    filled: Store, cli: Callable[..., Any], tmp_path: Path
) -> None:
    ended = cli("leaderboard", "--store", filled.root, "--out", tmp_path / "pages")
    assert ended.code == 0
    pages = sorted((tmp_path / "pages").iterdir())
    assert [page.name for page in pages] == [
        "scenes-mini-sd-mini-default.md",
        "tiles-mini-sd-mini-default.md",
    ]
    for page in pages:
        assert page.read_text() in ended.out
        assert str(page) in ended.err
    assert "quick" not in ended.out


def test_the_pages_are_the_same_twice(
    filled: Store, cli: Callable[..., Any], tmp_path: Path
) -> None:
    for name in ("one", "two"):
        cli("leaderboard", "--store", filled.root, "--out", tmp_path / name)
    one, two = (
        {page.name: page.read_bytes() for page in (tmp_path / name).iterdir()}
        for name in ("one", "two")
    )
    assert one == two


def test_json_is_one_document_for_all_boards(
    filled: Store, cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = cli("leaderboard", "--store", filled.root, "--format", "json")
    rows = json.loads(ended.out)["rows"]
    assert {row["board"].partition("-")[0] for row in rows} == {"tiles", "scenes"}
    assert [r["defense"] for r in rows if r["table"] == "defenses"] == ["good", "none", "none"]
    assert not (tmp_path / "leaderboards").exists()


def test_csv_is_one_table_for_all_boards(filled: Store, cli: Callable[..., Any]) -> None:
    ended = cli("leaderboard", "--store", filled.root, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(ended.out)))
    assert {row["table"] for row in rows} == {"defenses", "attacks"}
    assert len(rows) == 5


def test_where_the_base_already_separates_a_row_is_told_and_not_ranked(
    metrics: Make, as_records: Make
) -> None:
    (board,) = boards(
        as_records(metrics("none", "loss"), metrics("odd", "loss", tpr=0.01, base_auc=0.9))
    )
    assert list(board.defenses.defense) == ["none"]
    assert any("Not ranked: odd under loss" in note for note in board.notes)


def test_a_row_that_fails_any_gate_is_not_ranked(metrics: Make, as_records: Make) -> None:
    (board,) = boards(
        as_records(metrics("none", "loss"), metrics("odd", "loss", tpr=0.01, blind_auc=0.8))
    )
    assert list(board.defenses.defense) == ["none"]
    (told,) = (note for note in board.notes if note.startswith("Not ranked"))
    assert "odd under loss, gate failed: seed 0, blind captions: AUC 80.0" in told


def test_rows_of_other_stage_versions_stay_out(metrics: Make, as_records: Make) -> None:
    old = metrics("old", "loss", stage_versions={"train": 0})
    (board,) = boards(as_records(metrics("none", "loss"), old))
    assert list(board.defenses.defense) == ["none"]


def test_inception_adds_a_figure_and_no_second_row(metrics: Make, as_records: Make) -> None:
    made = [metrics("none", "loss", seed=seed) for seed in (0, 1, 2)]
    again = metrics("none", "loss", seed=0, inception_digest="6726825d")
    (board,) = boards(as_records(*made, again))
    assert list(board.defenses.seeds) == [3]


def test_another_clip_adds_a_figure_and_no_second_row(metrics: Make, as_records: Make) -> None:
    made = [metrics("none", "loss", seed=seed, clip_score=20) for seed in (0, 1, 2)]
    again = metrics("none", "loss", seed=0, clip="d0d0", clip_score=90)
    (board,) = boards(as_records(*made, again))
    assert list(board.defenses.seeds) == [3]
    assert list(board.defenses.CLIPScore) == ["20.00 [19.00, 21.00]"]
    assert list(board.defenses.precision) == ["30.0"]
    assert any("under CLIP c11b" in note for note in board.notes)
    assert any("3 nearest neighbours" in note for note in board.notes)


def test_a_board_without_clip_or_neighbours_has_dashes(metrics: Make, as_records: Make) -> None:
    (board,) = boards(as_records(metrics("none", "loss", clip=None, precision=None)))
    assert list(board.defenses.CLIPScore) == list(board.defenses.precision) == ["-"]
    assert not any("CLIP" in note or "nearest" in note for note in board.notes)
