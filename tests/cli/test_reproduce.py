"""`bench reproduce` from end to end, where nothing or little is trained."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bench.schemas import schema

Cli = Callable[..., Any]


@pytest.fixture(scope="module")
def small(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, ...]:
    store = tmp_path_factory.mktemp("reproduced")
    return ("--data", "scenes:n=120", "--base", tiny_base, "--seeds", 0, "--workers", 1,
            "--store", store)  # fmt: skip


def test_it_lists_what_there_is(cli: Cli) -> None:
    told = cli("reproduce", "--format", "json")
    names = [row["name"] for row in json.loads(told.out)["rows"]]
    assert names == [*(f"table{n}" for n in range(1, 7)), "fig1", "fig2", "fig3", "d1"]


def test_table_3_attacks_the_base_itself(cli: Cli, small: tuple[Any, ...]) -> None:
    told = cli("reproduce", "table3", *small, "--format", "json")
    assert told.code == 0, told.err
    found = json.loads(told.out)
    jsonschema.validate(found, schema("reproduce"))
    rows = found["rows"]
    assert [row["attack"] for row in rows][:2] == ["loss", "pia"]
    assert rows[0]["paper: ASR / AUC / TPR"] == "51.78 / 50.90 / 1.75"
    assert rows[0]["order"] in ("agrees", "not told apart", "disagrees")
    assert "on any other data all figures must be chance" in found["notes"][0]
    assert "comparisons of AUC" in found["notes"][1]


def test_time_that_is_spent_ends_it_with_5(
    shell: Cli, tmp_path: Path, small: tuple[Any, ...]
) -> None:
    told = shell("reproduce", "table3", *small[:-1], tmp_path / "store", "--max-time", "2s")
    assert told.code == 5, told.err
    assert "--max-time is spent" in told.err.splitlines()[-1]
    assert told.out == ""


def test_figure_1_is_drawn_for_whole_and_cut_captions(cli: Cli, small: tuple[Any, ...]) -> None:
    told = cli("reproduce", "fig1", *small, "--recipe", "quick", "--steps", 2, "--format", "md")
    assert told.code == 0, told.err
    assert told.out.startswith("## fig1")
    table = [line for line in told.out.splitlines() if line.startswith("|")]
    assert [line.split("|")[1].strip() for line in table] == [
        "text", "---", "full", "2/3", "1/3", "none",
    ]  # fmt: skip
    assert "of 3 comparisons" in told.out
    garbage = cli("gc", "--older-than", "0s", "--store", small[-1])
    assert garbage.code == 0
    assert "truncated" not in garbage.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["tabel5"], "no experiment named 'tabel5'; did you mean table5"),
        (["table5", "--preset", "quik"], "no preset named 'quik'; did you mean quick"),
        (["table5", "--preset", "quick", "--recipe", "mini"], "brings its own recipe"),
        (["table2", "--recipe", "pretrained"], "trains nothing; table3"),
        (["table2", "--recipe", "minni"], "no recipe named 'minni'; did you mean mini"),
        (["table2", "--seeds", "a"], "--seeds a: write whole numbers"),
    ],
)
def test_wrong_words_are_told_before_anything_is_computed(
    cli: Cli, tmp_path: Path, words: list[str], said: str
) -> None:
    told = cli("reproduce", *words, "--store", tmp_path / "store")
    assert told.code == 2
    assert said in told.err
    assert len(told.err.splitlines()) == 1
