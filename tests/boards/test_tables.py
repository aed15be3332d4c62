"""One table in four formats that programs and eyes can read."""

from __future__ import annotations

import csv
import io
import json

import pytest

from bench.boards.tables import render

ROWS = [{"name": "a|b", "n": 1, "said": 'x, "y"\nz'}, {"name": "c", "n": None, "said": ""}]


def test_json_holds_rows_and_notes() -> None:
    assert json.loads(render(ROWS, "json", ["why"])) == {"rows": ROWS, "notes": ["why"]}


def test_csv_quotes_what_must_be() -> None:
    rows = list(csv.reader(io.StringIO(render(ROWS, "csv"))))
    assert rows == [["name", "n", "said"], ["a|b", "1", 'x, "y"\nz'], ["c", "", ""]]


def test_markdown_escapes_bars() -> None:
    assert "| a\\|b | 1 |" in render(ROWS, "md")


def test_a_plain_table_is_aligned_and_has_its_notes_below() -> None:
    text = render([{"a": 1, "b": "x"}, {"a": 100, "b": "y"}], "table", ["note"])
    assert text == "a    b\n1    x\n100  y\nnote"


@pytest.mark.parametrize("form", ["table", "md", "json", "csv"])
def test_no_rows_are_no_error(form: str) -> None:
    assert isinstance(render([], form), str)  # type: ignore[arg-type]
