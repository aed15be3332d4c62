"""Does an entry hold? Every check that needs neither its author's machine nor a network.

Files, form and digests are looked at while it is read (load.py); what follows asks whether it says
what its scores say, and whether it was measured as boards ask for. One problem, one line.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.entries.checks import figures, gates, measured, pairs, plugins
from bench.entries.entry import Entry
from bench.entries.load import load
from bench.entries.problems import AGAIN, EntryError, Problem, plain, shown
from bench.entries.schema import DOCUMENT, SCORES
from bench.errors import UsageError

Flaw = tuple[str, str, str]
Check = Callable[[Entry], Iterator[Flaw]]
CONTENT: tuple[Check, ...] = (pairs.check, figures.check, gates.check)
"""In this order: of scores whose pairs are not what they should be, no figure is recomputed."""
CIRCUMSTANCES: tuple[Check, ...] = (measured.check, plugins.check)
BESIDE = ("README.md",)
"""What a folder of entries may hold beside them."""


@dataclass
class Verdict:
    """What was looked at and what was found."""

    entries: list[Entry] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)
    """What is to be known and does not make an entry wrong."""


def validate(places: Sequence[Path], *, allow_dirty: bool = False) -> Verdict:
    """Checks entries and folders of entries; UsageError where there is none."""
    verdict = Verdict()
    for place in places:
        for folder in _folders(place, verdict):
            if any(folder.resolve() == known.place.resolve() for known in verdict.entries):
                continue
            try:
                entry = load(folder)
            except EntryError as error:
                verdict.problems += error.problems
                continue
            verdict.entries.append(entry)
            verdict.problems += problems(entry, allow_dirty=allow_dirty)
            notes = (*plugins.stale(entry), *_unknown(entry))
            verdict.notes += [Problem(entry.name, *one) for one in notes]
    verdict.problems += _twins(verdict.entries)
    return verdict


def problems(entry: Entry, *, allow_dirty: bool = False) -> list[Problem]:
    """What does not hold in an entry that could be read."""
    content: list[Flaw] = []
    for check in CONTENT:
        content = content or list(check(entry))
    found = content + [flaw for check in CIRCUMSTANCES for flaw in check(entry)]
    code = entry.about.provenance
    if code.dirty and not allow_dirty:
        what = "written by code that was changed after its commit"
        found.append(("provenance", what, "commit the changes, run and submit again"))
    if (code.commit is None) != (code.dirty is None):
        found.append(("provenance", "has a commit and no dirty flag, or the reverse", AGAIN))
    return [Problem(entry.name, *flaw) for flaw in found]


def _unknown(entry: Entry) -> Iterator[Flaw]:
    code = entry.about.provenance
    if code.commit is None:
        what = f"written by an installed bench {code.bench}, whose commit is not known"
        yield "provenance", what, "submit from a checkout to have it named"


def _folders(place: Path, verdict: Verdict) -> list[Path]:
    """The place itself, if it looks like an entry, else the folders inside."""
    if place.name in (DOCUMENT, SCORES) and not place.is_dir():
        raise UsageError(f"{place} is a file of an entry; name its folder {place.parent}")
    if not os.path.lexists(place):
        raise UsageError(f"{place} does not exist; name an entry or a folder of entries")
    inside = sorted(place.iterdir()) if place.is_dir() else []
    known = [path.name in (DOCUMENT, SCORES) for path in inside]
    if not place.is_dir() or any(known) or place.is_symlink():
        return [place]
    folders = [path for path in inside if path.is_dir() or path.is_symlink()]
    if not folders:
        raise UsageError(f"{place} holds no entry; `bench submit` writes them")
    for path in inside:
        if path not in folders and path.name not in BESIDE:
            what = f"{shown(path.name)} is no entry"
            verdict.problems.append(Problem(plain(place.name), "folder", what, "remove it"))
    return folders


def _twins(entries: Sequence[Entry]) -> Iterator[Problem]:
    """Two entries of one name, or of one model, cannot both be on a board."""
    for number, entry in enumerate(entries):
        for first in entries[:number]:
            if entry.model == first.model:
                what = f"is about the same model as {plain(str(first.place))}"
                yield Problem(entry.name, "target", what, "keep one of them")
            elif entry.name == first.name:
                what = f"is the name of {plain(str(first.place))} too"
                yield Problem(entry.name, "name", what, "rename one of them")
