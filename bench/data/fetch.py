"""Data for later runs: fetched while there is a network, read in full, held against its card."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

from bench.data import own
from bench.data.arguments import parse
from bench.data.cards import CARDS, Card
from bench.data.source import DataSource, Facts
from bench.data.sources import OPTIONS, open_source
from bench.errors import OfflineError
from bench.hub import snapshot, verify
from bench.paths import expanded


class Fetched(NamedTuple):
    """What was found, in words, and where it differs from what the card expects."""

    lines: dict[str, str]
    flaws: list[str]


def fetch_data(name: str, offline: bool = False) -> Fetched:
    """The data set of this name, fetched if the hub has it; every picture is read.

    Raises what `open_source` does, and OfflineError for the bare name of a card.
    """
    if card := CARDS.get(name):
        raise OfflineError(
            f"card {name} says no place that can be fetched: get it from {card.where}, then "
            f"`bench fetch --for` it as in `bench show {name}`"
        )
    asked = parse(name, OPTIONS)
    of_the_hub = asked.kind == "hub" and not expanded(asked.place).is_dir()
    if of_the_hub:
        folder = snapshot(own.on_the_hub(asked), sorted, "data set", offline)
        verify(folder, sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.*")))
    source = open_source(name, again=True, offline=offline)
    lines = {"data": source.place, "label": source.label, "identity": source.identity}
    if source.facts is None:
        pairs = len(source.pairs())
        return Fetched(lines | {"pairs": f"{pairs:,}", "licence": source.licence}, [])
    lines |= _told(source, source.facts)
    followed = CARDS.get(source.facts.card or "") or _card_of(source.facts)
    if followed is None:
        return Fetched(lines, [])
    sums, flaws = _sums(followed, source)
    return Fetched(lines | sums, [*_counted(followed, source.facts), *flaws])


def _told(source: DataSource, facts: Facts) -> dict[str, str]:
    low, middle, high = facts.sides
    few, usual, many = facts.words
    lines = {
        "pictures": f"{facts.pictures:,}",
        "captions": f"{facts.captions:,} ({few} to {many} words, half of them at most {usual})",
        "drawn": f"{facts.drawn:,} pictures, {facts.pairs:,} pairs; every one can be decoded",
        "sides": f"{low} to {high} pixels, the median {middle} (shorter sides)",
        "licence": source.licence,
    }
    if facts.commit:
        lines["commit"] = facts.commit
    if source.notes:
        lines["notes"] = "; ".join(source.notes)
    return lines


def _card_of(facts: Facts) -> Card | None:
    """The card whose annotation file this plainly is, whether or not its sizes are followed."""
    coco = CARDS["coco"]
    return coco if facts.part in coco.counts else None


def _counted(card: Card, facts: Facts) -> list[str]:
    """Counts that differ from the card's."""
    due = card.counts.get(facts.part)
    if not due or due == (facts.pictures, facts.captions):
        return []
    return [
        f"{facts.part} holds {facts.pictures:,} pictures and {facts.captions:,} captions; card "
        f"{card.name} expects {due.pictures:,} and {due.captions:,}"
    ]


def _sums(card: Card, source: DataSource) -> tuple[dict[str, str], list[str]]:
    """The archives that lie beside the data, held against their known MD5."""
    place = Path(source.place.partition(":")[2].partition(",")[0])
    lines, broken = {}, []
    for name, md5 in card.md5.items():
        beside = [folder / name for folder in (place.parent, place.parent.parent)]
        for path in filter(Path.is_file, beside):
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "md5").hexdigest()
            lines[name] = f"MD5 {found}"
            if found != md5:
                broken.append(f"{path} has the MD5 {found}, not {md5}; download it again")
    return lines, broken
