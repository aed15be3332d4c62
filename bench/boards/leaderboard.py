"""Pages of a board: from entries to Markdown that can be read without the docs.

One board for each (data, base, recipe, augmentation, canaries), since only those models compare. No
figure is typed by hand: the same entries give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from html import escape
from typing import Any

from bench.boards import attacks, defenses, notes
from bench.boards.gates import told
from bench.boards.standing import Standing, sizes, standing
from bench.boards.tables import Format, markdown, render
from bench.entries.entry import Entry
from bench.entries.schema import SEEDS
from bench.entries.sealing import digest
from bench.stats.worst import Resamples

USUAL = {"base_label": "mini-sd", "recipe": "mini", "augment": "default"}
"""What a board's name leaves out."""
CANARIES = 64
"""As the published boards have."""
Record = dict[str, Any]


@dataclass(frozen=True)
class Page:
    """One file of a board: a title, what was measured, and tables under headings.

    A second table of the same rows has the columns that `beside` names for a heading: as one it
    would be too wide to read.
    """

    name: str
    title: str
    notes: Sequence[str]
    tables: Mapping[str, Sequence[Record]]
    beside: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def markdown(self) -> str:
        """The page; what entries say is escaped."""
        parts = [f"# {_safe(self.title)}", *map(_safe, self.notes)]
        for heading, records in self.tables.items():
            second = self.beside.get(heading, ())
            first = [column for column in records[0] if column not in second[1:]]
            parts += [f"## {_safe(heading)}", _table(records, first)]
            if second:
                parts += [f"## {_safe(heading)}: further figures", _table(records, second)]
        return "\n\n".join(parts) + "\n"


def pages(entries: Iterable[Entry]) -> list[Page]:
    """Two pages for every board that these entries give, by name."""
    groups: dict[tuple[str, ...], list[Entry]] = {}
    for entry in entries:
        groups.setdefault(_key(entry), []).append(entry)
    boards: dict[str, list[Entry]] = {}
    # Of boards that would share a name the largest has it, whoever comes beside.
    for key, group in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
        name = _name(group[0])
        boards[f"{name}-{digest(list(key))[:8]}" if name in boards else name] = group
    return [page for name in sorted(boards) for page in _pages(name, boards[name])]


def render_pages(made: Sequence[Page], form: Format) -> str:
    """All tables as one, for programs."""
    records = [
        {"page": page.name, "table": heading, **record}
        for page in made
        for heading, some in page.tables.items()
        for record in some
    ]
    columns = list(dict.fromkeys(column for record in records for column in record))
    notes = [f"{page.name}: {note}" for page in made for note in page.notes]
    return render([{c: r.get(c) for c in columns} for r in records], form, notes)


def _key(entry: Entry) -> tuple[str, ...]:
    target = entry.about.target
    identities = (target.data_identity, target.base_identity)
    recipe = str(sorted(target.recipe.items()))
    return (*identities, recipe, target.augment, str(target.canaries), str(target.sampling))


def _name(entry: Entry) -> str:
    target = entry.about.target
    told = {"base_label": target.base_label, "recipe": str(target.recipe["name"]),
            "augment": target.augment}  # fmt: skip
    parts = [target.data_label, *(told[k] for k, usual in USUAL.items() if told[k] != usual)]
    parts += [] if target.canaries == CANARIES else [f"canaries {target.canaries}"]
    return "-".join(map(_slug, parts))


def _slug(text: str) -> str:
    return "".join(c if c.isalnum() or c in "._" else "-" for c in text).strip("-.").lower() or "x"


def _pages(name: str, entries: Sequence[Entry]) -> list[Page]:
    draws = cache(Resamples.of)
    seeds = _seeds(entries)
    standings = [standing(entry, draws(tuple(sizes(entry))), seeds) for entry in entries]
    standings.sort(key=lambda one: one.entry.name)
    target = entries[0].about.target
    what = f"{target.data_label} (base {target.base_label}, recipe {target.recipe['name']}, "
    what += f"augmentation {target.augment})"
    measured = notes.measured([one for one in standings if not one.other_seeds])
    ranked = defenses.ranked(standings)
    tables = {
        "Defenses": ranked,
        "The undefended frontier": defenses.frontier_points(standings),
        "Gates of the splits": _gates(standings),
    }
    board = Page(
        f"{name}-defenses",
        f"Defenses against membership inference on {what}",
        [*measured, *notes.of_defenses(standings)],
        {heading: records for heading, records in tables.items() if records},
        {"Defenses": defenses.FURTHER},
    )
    found = attacks.ranked(standings)
    if not found:
        return [board]
    lines = [*measured, *notes.of_attacks(standings)]
    title = f"Membership inference attacks on {what}"
    return [board, Page(f"{name}-attacks", title, lines, {"Attacks": found})]


def _seeds(entries: Sequence[Entry]) -> list[int]:
    """Those that are asked for; where no entry has them, those that most have."""
    found = [tuple(entry.seeds) for entry in entries]
    most = max(found.count(one) for one in found)
    return list(SEEDS if SEEDS in found else min(one for one in found if found.count(one) == most))


def _gates(standings: Sequence[Standing]) -> list[Record]:
    """Verdicts on the splits that all models share."""
    found: dict[str, Record] = {}
    for one in standings:
        for seed in one.entry.about.seeds:
            for gate in seed.gates:
                figures = gate.figures.model_dump()
                line = {
                    "seed": seed.seed,
                    "gate": gate.name,
                    "passed": "yes" if gate.passed else "NO",
                    "figure": told(gate.name, figures).partition(": ")[2],
                }
                found.setdefault(str(line), line)
    return sorted(found.values(), key=lambda line: (line["seed"], line["gate"]))


def _safe(text: str) -> str:
    """No HTML and no link; quotes as they are, since no attribute is ever written."""
    return escape(text, quote=False).replace("](", "] (")


def _table(records: Sequence[Record], columns: Sequence[str]) -> str:
    cells = [[_safe(str(record.get(column, ""))) for column in columns] for record in records]
    return markdown(columns, cells)
