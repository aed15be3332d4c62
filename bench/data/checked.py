"""Every picture of a data set is read and decoded once; later its size and times are looked at.

A run opens its data in every stage, and ten thousand photographs take minutes to decode. What was
found is kept in the user's cache, by the names, captions, sizes and times of all files, so that any
change makes it anew. A file written seconds ago is not trusted: another write might not show.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.data.listing import Listing, Row
from bench.data.pairs import Pairs
from bench.data.pictures import RowError, decode
from bench.errors import ValidationError
from bench.files import write_atomic
from bench.specs import canonical

if TYPE_CHECKING:
    from PIL.Image import Image

FORMAT = 1
"""Raised by hand when what is kept, or what passes the checks, changes."""
MANY = 2_000
"""Pictures that take long enough to be announced."""
SETTLED_NS = 2_000_000_000
"""Age from which a file's times tell whether it was written again."""


@dataclass(frozen=True)
class Found:
    """What reading every picture told."""

    identity: str
    """sha256 over names, captions and the bytes of every picture, in order."""
    sides: tuple[int, int, int]
    """Pixels of the shorter sides: the smallest, the median and the largest."""


def check(
    listing: Listing, again: bool = False, say: Callable[[str], None] = lambda line: None
) -> Found:
    """Reads and decodes every picture, unless nothing has changed since that was last done.

    `again` does it in any case; `say` is told where it will take a while. Raises one line on the
    first problem, with the number of others.
    """
    place = None if listing.problems else _place(listing)
    if place and not again and (kept := _kept(place)):
        return kept
    if len(listing.rows) >= MANY:
        say(f"reading {len(listing.rows):,} pictures of {listing.title}, once")
    began = time.time_ns()
    found = _read_all(listing)
    if place and place == _place(listing) and _newest(listing) < began - SETTLED_NS:
        with suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(place, json.dumps(asdict(found)).encode())
    return found


def pairs_of(listing: Listing, every_caption: bool) -> Pairs:
    """A pair a picture, or one a caption: ids `name#k`, tied together by the picture."""
    rows = {row.name: row for row in listing.rows}
    if not every_caption:
        captions = tuple(row.captions[0] for row in listing.rows)
        return Pairs(tuple(rows), captions, captions, Opener(listing, rows))
    listed = [
        (row, k)
        for row in listing.rows
        for k, caption in enumerate(row.captions)
        if caption not in row.captions[:k]
    ]
    ids = tuple(f"{row.name}#{k}" for row, k in listed)
    captions = tuple(row.captions[k] for row, k in listed)
    shown = {id_: row for id_, (row, _) in zip(ids, listed, strict=True)}
    pictures = tuple(row.name for row, _ in listed)
    return Pairs(ids, captions, captions, Opener(listing, shown), pictures)


@dataclass(frozen=True, eq=False)
class Opener:
    """Opens the picture of a pair."""

    listing: Listing
    rows: dict[str, Row]

    def __call__(self, id_: str) -> Image:
        row = self.rows[id_]
        try:
            return decode(self.listing.read(row), row.name)
        except RowError as error:
            raise ValidationError(
                f"{row.where}: {row.name}: can no longer be read ({error}); restore it"
            ) from None


def _read_all(listing: Listing) -> Found:
    digest = hashlib.sha256(f"{listing.kind}\n".encode())
    problems, sides = list(listing.problems), []
    for row in listing.rows:
        try:
            content = listing.read(row)
            sides.append(min(decode(content, row.name).size))
        except RowError as error:
            problems.append((row.number, f"{row.where}: {' '.join(str(error).split())}"))
            continue
        # One caption is a text, so that data keeps the name it had before there could be several.
        words = row.captions[0] if len(row.captions) == 1 else row.captions
        digest.update(json.dumps([row.name, words, len(content)]).encode() + b"\n" + content)
    if problems:
        more = f" (and {len(problems) - 1} more such lines)" if len(problems) > 1 else ""
        raise ValidationError(min(problems)[1] + more)
    middle = statistics.median_low(sides)
    return Found(digest.hexdigest(), (min(sides), middle, max(sides)))


def _place(listing: Listing) -> Path | None:
    """Where this state of the files is kept; None where a file is missing."""
    from platformdirs import user_cache_path

    try:
        stamps = listing.stamps(listing.rows)
    except OSError:
        return None
    rows = [[row.name, row.captions] for row in listing.rows]
    text = canonical([FORMAT, listing.kind, listing.chosen, rows, stamps])
    name = hashlib.sha256(text.encode()).hexdigest()
    return user_cache_path("t2i-defense-bench") / "checked" / f"{name}.json"


def _newest(listing: Listing) -> int:
    return max(int(modified) for _, _, modified, _ in listing.stamps(listing.rows))


def _kept(place: Path) -> Found | None:
    try:
        record = json.loads(place.read_text(encoding="utf-8"))
        small, middle, large = map(int, record["sides"])
        return Found(str(record["identity"]), (small, middle, large))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def stamp(path: Path) -> list[Any]:
    """Name, size and times of a file; the second time changes where the first is set back."""
    seen = path.stat()
    return [str(path), seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns]


def below(root: Path) -> list[Any]:
    """The stamps of every file of a folder."""
    return [stamp(path) for path in sorted(root.rglob("*")) if path.is_file()]
