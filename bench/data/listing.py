"""What a data set lists, before any picture is read: names, captions, and where each stands."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from bench.data.pictures import RowError
from bench.errors import ValidationError
from bench.rng import generator

SEVERAL = ("first", "all")
"""What is made of several captions: the first alone, or a pair of each."""


class Row(NamedTuple):
    """One picture with its captions."""

    number: int
    """Where it stands among the rows, to tell problems in their order."""
    where: str
    """The same for people: file and line, or the like."""
    name: str
    """Its id: unique, and what `Listing.read` finds it by."""
    captions: tuple[str, ...]


@dataclass(frozen=True)
class Listing:
    """A data set's rows, how to read their pictures, and what shows that these have not changed."""

    title: str
    """For messages."""
    kind: str
    """What the identity begins with."""
    rows: tuple[Row, ...]
    read: Callable[[Row], bytes]
    """The bytes of a row's picture; RowError where there are none."""
    stamps: Callable[[Sequence[Row]], list[Any]]
    """Size and times of every file that these rows are read from; OSError where one is missing."""
    chosen: tuple[str | None, ...] = ()
    """What else decides which pictures are read."""
    problems: tuple[tuple[int, str], ...] = ()
    """Rows that say nothing usable, by number."""
    notes: tuple[str, ...] = ()
    of: int = field(default=0)
    """Pictures before any were drawn."""
    captions: int = 0
    """Captions of these."""

    def __post_init__(self) -> None:
        if not self.of:
            object.__setattr__(self, "of", len(self.rows))
            object.__setattr__(self, "captions", sum(len(row.captions) for row in self.rows))

    def drawn(self, n: int | None) -> Listing:
        """The same with `n` pictures, always the same ones, in their old order.

        The draw depends on the names alone; fewer are always among more.
        """
        if n is None or n == len(self.rows):
            return self
        if n > len(self.rows):
            raise ValidationError(
                f"{self.title} has {len(self.rows):,} pictures, fewer than n={n}; leave out n"
            )
        names = sorted(row.name for row in self.rows)
        chosen = {names[i] for i in generator("data", "draw").permutation(len(names))[:n]}
        return replace(self, rows=tuple(row for row in self.rows if row.name in chosen))

    def every_caption(self) -> Listing:
        """The same to be read with all captions, which is other data."""
        note = "captions=all: a picture's pairs depend on each other: intervals are too narrow"
        return replace(self, kind=f"{self.kind} all", notes=(*self.notes, note))

    def first_captions(self) -> Listing:
        """The same with one caption a picture, and a note where that leaves some out."""
        several = sum(len(row.captions) > 1 for row in self.rows)
        if not several:
            return self
        note = (
            f"{several:,} pictures have several captions: the first of each is used "
            "(captions=all makes a pair of each)"
        )
        rows = tuple(row._replace(captions=row.captions[:1]) for row in self.rows)
        return replace(self, rows=rows, notes=(*self.notes, note))


def names_of_files(name: object, root: str) -> str:
    """The name of a file below `root`, normalised; RowError for anything else."""
    if isinstance(name, str) and not encodable(name):
        raise RowError("has a file_name with half a character (a lone surrogate); retype it")
    if not isinstance(name, str) or not name.strip() or "\0" in name:
        said = "has no 'file_name'" if name is None else f"has the file_name {name!r}"
        raise RowError(f"{said}; give the picture's path relative to {root}")
    normal = os.path.normpath(name).replace(os.sep, "/")
    if Path(name).is_absolute() or normal.split("/")[0] in ("..", "."):
        raise RowError(
            f"'{name}' lies outside the folder; move the picture into it and give its path "
            f"relative to {root}"
        )
    return normal


def captions_of(entry: Mapping[str, Any], keys: Sequence[str]) -> tuple[str, ...]:
    """The captions that an entry has under one of these keys, a text or a list of texts."""
    given = {key: entry[key] for key in keys if entry.get(key) is not None}
    if not given:
        found = ", ".join(f"'{key}'" for key in entry if key != "file_name") or "no other key"
        keys_ = " or ".join(f"'{key}'" for key in keys)
        raise RowError(f"has no caption (found {found}); add the key {keys_}")
    read = {key: _texts(key, value) for key, value in given.items()}
    if len(set(read.values())) > 1:
        both = " and ".join(f"'{key}'" for key in read)
        raise RowError(f"has both {both} and they differ; keep one")
    return next(iter(read.values()))


def _texts(key: str, value: object) -> tuple[str, ...]:
    texts: list[Any] = value if isinstance(value, list) else [value]
    if not texts:
        raise RowError(f"'{key}' is empty; write a caption or remove the line")
    for text in texts:
        if not isinstance(text, str):
            raise RowError(f"'{key}' is {value!r}; give the caption as text in quotes")
        if not encodable(text):
            raise RowError(f"'{key}' holds half a character (a lone surrogate); retype it")
        if not text.strip():
            raise RowError(f"'{key}' is empty; write a caption or remove the line")
    return tuple(text.strip() for text in texts)


def encodable(text: str) -> bool:
    """False where JSON escaped one half of a character, which no file or model can take."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
