"""The user's own data: what it lists, what a card asks of it, and whether every picture holds."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

from bench.data import coco, folder, tables
from bench.data.arguments import Argument
from bench.data.cards import Card, named_card
from bench.data.checked import Found, check, pairs_of
from bench.data.listing import SEVERAL, Listing
from bench.data.pairs import Pairs
from bench.data.sizes import SplitSizes
from bench.data.source import DataSource, Facts
from bench.errors import UsageError, ValidationError
from bench.hub import HubName, hub_name, snapshot
from bench.paths import expanded
from bench.specs import canonical

COMMON = ("captions", "n", "card")
OPTIONS: Mapping[str, tuple[str, ...]] = {
    "folder": COMMON,
    "coco": ("images", *COMMON),
    "parquet": ("image", "text", "split", *COMMON),
    "hub": ("image", "text", "split", "config", *COMMON),
}
"""What may follow the place of each kind."""
PLACES = {
    "folder": "a path: folder:PATH",
    "coco": "a file: coco:ANNOTATIONS.json",
    "parquet": "a path: parquet:PATH",
    "hub": "a name: hub:NAME@REVISION",
}
SLACK = 1.05
"""Pictures drawn for one that a card's parts need: pairs that belong together need room."""


class Listed(NamedTuple):
    """A listing, what to call it, and where it lies for good."""

    listing: Listing
    label: str
    place: str
    part: str
    commit: str | None = None


def open_own(
    asked: Argument, spec: str, again: bool, offline: bool, say: Callable[[str], None]
) -> DataSource:
    """The data set, every drawn picture of it checked; `again` reads all of them in any case."""
    if not asked.place:
        raise UsageError(f"data set '{asked.kind}' needs {PLACES[asked.kind]}")
    if "://" in asked.place:
        raise UsageError(
            f"data set {asked.kind}:{asked.place} is a web address; download it and give its path"
            ", or hub:OWNER/NAME for one of the Hugging Face hub"
        )
    every = asked.choice("captions", SEVERAL, "first") == "all"
    n = asked.number("n")
    listed = _listed(asked, offline)
    card, notes = followed_card(asked, listed.part, n or len(listed.listing.rows))
    listing = _drawn(listed.listing, n, card)
    listing = listing.every_caption() if every else listing.first_captions()
    found = check(listing, again, say)
    pairs = pairs_of(listing, every)
    sizes = card.sizes if card else None
    return DataSource(
        spec,
        _identity(found.identity, sizes, pairs, asked),
        card.name if card else listed.label,
        found.sides[1],
        card.licence if card else "your own",
        (*listing.notes, *notes),
        sizes,
        listed.place,
        _facts(listed, listing, pairs, found, card),
        load=lambda: pairs,
    )


def _drawn(listing: Listing, n: int | None, card: Card | None) -> Listing:
    """As many pictures as were asked for or, of many more, as a card's parts need."""
    needed = math.ceil(SLACK * card.sizes.total) if card and card.sizes else 0
    if n is not None or not card or len(listing.rows) <= needed:
        return listing.drawn(n)
    note = (
        f"card {card.name}: {needed:,} of {len(listing.rows):,} pictures are drawn, always the "
        "same (n=... draws more)"
    )
    return replace(listing.drawn(needed), notes=(*listing.notes, note))


def _facts(
    listed: Listed, listing: Listing, pairs: Pairs, found: Found, card: Card | None
) -> Facts:
    words = sorted(len(caption.split()) for caption in pairs.captions)
    return Facts(
        pictures=listing.of,
        captions=listing.captions,
        drawn=len(listing.rows),
        pairs=len(pairs),
        sides=found.sides,
        words=(words[0], words[len(words) // 2], words[-1]),
        part=listed.part,
        card=card.name if card else None,
        commit=listed.commit,
    )


def absolute(asked: Argument) -> Argument:
    """The same with full paths, so that a worker finds it from wherever it runs."""
    options = dict(asked.options)
    if "images" in options:
        options["images"] = _full(options["images"])
    is_path = asked.kind != "hub" or expanded(asked.place).is_dir()
    return asked._replace(place=_full(asked.place) if is_path else asked.place, options=options)


def _full(path: str) -> str:
    return str(expanded(path).resolve()) if path else ""


def _listed(asked: Argument, offline: bool) -> Listed:
    full = absolute(asked)
    place, given = Path(full.place), asked.options
    if asked.kind == "folder":
        label = place.name or "folder"
        return Listed(folder.listing(asked.place), label, str(full), label)
    if asked.kind == "coco":
        listing = coco.listing(asked.place, given.get("images"))
        return Listed(listing, place.stem.removeprefix(coco.PREFIX), str(full), place.stem)
    options = {key: given.get(key) for key in ("split", "config", "image", "text")}
    part = given.get("split", "train")
    if asked.kind == "parquet" or place.is_dir():
        if not place.exists():
            raise UsageError(f"{place} does not exist; check the path after '{asked.kind}:'")
        listing = tables.listing(place, str(place), **options)
        return Listed(listing, place.stem, str(full), part)
    name = on_the_hub(asked)
    found = snapshot(name, sorted, "data set", offline)
    commit = found.name
    listing = tables.listing(found, f"hub:{name.id}", **options, commit=commit)
    pinned = str(asked._replace(place=f"{name.id}@{commit}"))
    return Listed(listing, name.id.rpartition("/")[2], pinned, part, commit)


def on_the_hub(asked: Argument) -> HubName:
    """The data set that is asked for by name; UsageError where it cannot be one."""
    name = hub_name(asked.place, "dataset")
    if name is None:
        raise UsageError(f"hub:{asked.place} is no folder and no name; one looks like owner/name")
    return name


def followed_card(asked: Argument, part: str, pictures: int) -> tuple[Card | None, list[str]]:
    """The card that was named, or that of a file which is plainly a card's own, and a note."""
    named = asked.options.get("card")
    known = named_card("coco") if asked.kind == "coco" else None
    if named == "none" or (named is None and (known is None or part not in known.counts)):
        return None, []
    card = named_card(named) if named else known
    if card is None or card.sizes is None:
        raise UsageError(
            f"card {named} deals no split, for the set itself says who is a member; "
            f"`bench show {named}`"
        )
    if named is None and pictures < card.sizes.total:
        return None, [
            f"{pictures:,} pictures are fewer than the {card.sizes.total:,} of card {card.name}: "
            "split in the usual proportions"
        ]
    return card, []


def _identity(content: str, sizes: SplitSizes | None, pairs: Pairs, asked: Argument) -> str:
    """The content's own or, where a card gives the sizes, also theirs: other splits, other keys."""
    if sizes is None:
        return content
    if len(pairs) < sizes.total:
        raise ValidationError(
            f"{asked.kind}:{asked.place} has {len(pairs):,} pairs, and card "
            f"{asked.options.get('card', 'coco')} needs {sizes.total:,}; leave out card= and n= "
            "for the usual proportions"
        )
    return hashlib.sha256(f"sizes\n{canonical(asdict(sizes))}\n{content}".encode()).hexdigest()
