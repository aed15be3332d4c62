"""One table, four formats: for eyes, for Markdown, for programs."""

from __future__ import annotations

import csv
import io
import json
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
    return "\n".join([_plain(columns, cells), *notes])


def markdown(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """A Markdown table; bars in a cell are escaped so that they break no row."""
    lines = [columns, ["---"] * len(columns), *cells]
    return "\n".join(
        "| " + " | ".join(c.replace("|", "\\|") for c in line) + " |" for line in lines
    )


def _plain(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """Columns aligned by spaces, no escape codes: it reads the same in a file."""
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    lines = [columns, *cells]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _text(value: Any) -> str:
    return "" if value is None else str(value)
