"""One table, four formats: for eyes, for Markdown, for programs."""

from __future__ import annotations

import csv
import io
import json
import math
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Literal

Format = Literal["table", "md", "json", "csv"]
FORMATS: tuple[Format, ...] = ("table", "md", "json", "csv")
Record = Mapping[str, Any]


def render(records: Sequence[Record], form: Format, notes: Sequence[str] = ()) -> str:
    """The records as text; columns are the keys of the first. JSON holds records and notes."""
    if form == "json":
        return json.dumps({"rows": list(records), "notes": list(notes)}, indent=1)
    columns = list(records[0]) if records else []
    cells = [[_text(record.get(column)) for column in columns] for record in records]
    if form == "csv":
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="\n").writerows([columns, *cells])
        return buffer.getvalue().rstrip("\n")
    if form == "md":
        table = markdown(columns, cells)
        return "\n".join([table, "", *notes]) if notes else table
    return "\n".join([_fitted(columns, cells), *notes])


def markdown(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """A Markdown table; bars in a cell are escaped so that they break no row."""
    lines = [columns, ["---"] * len(columns), *cells]
    return "\n".join(
        "| " + " | ".join(c.replace("|", "\\|") for c in line) + " |" for line in lines
    )


def _fitted(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """A line a record; a line a column where a terminal is too narrow for that."""
    wide = _plain([columns, *cells])
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else math.inf
    if max(map(len, wide.splitlines()), default=0) <= room:
        return wide
    tall = _plain(list(zip(columns, *cells, strict=True)))
    return min(wide, tall, key=lambda text: max(map(len, text.splitlines()), default=0))


def _plain(lines: Sequence[Sequence[str]]) -> str:
    """Columns aligned by spaces, no escape codes: it reads the same in a file."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _text(value: Any) -> str:
    return "" if value is None else str(value)
