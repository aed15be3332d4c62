"""A report as text: the same tables, for a terminal, for Markdown and for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bench.boards.tables import Format, render
from bench.reports.report import Report
from bench.reports.section import Section, Table, Thumb


def text(made: Report, form: Format) -> str:
    """Section after section; as JSON and CSV one list of records, each with its table's name."""
    if form in ("json", "csv"):
        return _records(made, form)
    several, blocks = len(made.parts) > 1, []
    for part in made.parts:
        blocks += [_heading(part.title, form, 1)] if several else []
        blocks += [block for section in part.sections for block in _section(section, form)]
    blocks += [block for section in made.ending for block in _section(section, form)]
    return "\n\n".join(blocks)


def _section(section: Section, form: Format) -> Iterator[str]:
    """Its heading, its tables, and its sentences where there is nothing else to show."""
    found = [figure.table for figure in section.figures] + [*section.tables]
    yield _heading(section.title, form, 2)
    if section.alarms:
        yield "\n".join(section.alarms)
    if not found and not section.code:
        yield "\n".join(section.lead)
    for number, table in enumerate(found):
        told = section.notes if number == len(found) - 1 else ()
        name = [] if table.title == section.title else [table.title]
        yield "\n".join([*name, *([""] if form == "md" and name else []),
                         render(_plain(table), form, told)])  # fmt: skip
    if section.code:
        yield "\n".join(f"    {line}" for line in section.code)


def _plain(table: Table) -> list[dict[str, Any]]:
    """Without pictures."""
    return [
        {name: value for name, value in record.items() if not isinstance(value, Thumb)}
        for record in table.records
    ]


def _records(made: Report, form: Format) -> str:
    named = [(part.title, section) for part in made.parts for section in part.sections]
    named += [("all", section) for section in made.ending]
    records = [
        {"part": part, "section": section.name, "table": table.title, **record}
        for part, section in named
        for table in [*(figure.table for figure in section.figures), *section.tables]
        for record in _plain(table)
    ]
    columns = list(dict.fromkeys(column for record in records for column in record))
    notes = [
        note
        for _, section in named
        for note in (*section.alarms, *section.lead, *section.notes, *section.code)
    ]
    if form == "csv":
        records = [{name: record.get(name) for name in columns} for record in records]
    return render(records, form, notes)


def _heading(title: str, form: Format, level: int) -> str:
    return f"{'#' * level} {title}" if form == "md" else f"{title}\n{'=' * len(title)}"
