"""Where pairs come from, opened by the name that was typed after `--data`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from bench.data import own, scenes, tiles
from bench.data.arguments import Argument, parse
from bench.data.cards import CARDS
from bench.data.source import DataSource
from bench.errors import UsageError, unknown

OPTIONS: Mapping[str, tuple[str, ...]] = {"tiles": (), "scenes": ("seed", "n"), **own.OPTIONS}


class SourceInfo(NamedTuple):
    """One line of `bench list data`."""

    name: str
    about: str
    licence: str
    pairs: int | None


def list_sources() -> list[SourceInfo]:
    """The data sets that can be named, and the cards, without opening any."""
    shapes = "procedural shapes with exact captions; calibrates, no headline"
    words = "game sprites with human-written captions"
    others = (
        ("folder:PATH", "your pictures, captions in PATH/metadata.jsonl or metadata.csv"),
        ("coco:ANNOTATIONS.json", "COCO captions as distributed, the pictures beside them"),
        ("parquet:PATH", "a parquet file, or a folder of shards"),
        ("hub:NAME[@REV]", "a data set of the Hugging Face hub, or a folder of that format"),
    )
    return [
        SourceInfo("tiles", words, tiles.LICENCE, tiles.count()),
        SourceInfo("scenes[:seed=0,n=3000]", shapes, scenes.LICENCE, scenes.COUNT),
        *(SourceInfo(name, about, "your own", None) for name, about in others),
        *(SourceInfo(f"card={c.name}", c.about, c.licence, None) for c in CARDS.values()),
    ]


def absolute(spec: str) -> str:
    """The same with full paths, so that it means the same from every folder."""
    asked = parse(spec, OPTIONS)
    return str(own.absolute(asked)) if asked.kind in own.OPTIONS and asked.place else spec


def open_source(
    spec: str,
    again: bool = False,
    offline: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> DataSource:
    """The data set of this name, checked in full; what has not changed since is not read again.

    `again` reads it in any case; `offline` fetches nothing; `say` is told where that takes a while.

    Raises:
        UsageError: the name, the place or an option is wrong.
        ValidationError: the data does not hold; says where.
        OfflineError: a data set of the hub is not here and cannot be fetched.
    """
    asked = parse(spec, OPTIONS)
    if asked.kind in own.OPTIONS:
        if spec in CARDS:
            raise UsageError(f"'coco' needs {own.PLACES['coco']} (`bench show coco`)")
        return own.open_own(asked, spec, again, offline, say)
    if asked.kind == "tiles":
        return _tiles(spec, asked)
    if asked.kind == "scenes":
        return _scenes(spec, asked)
    if asked.kind in CARDS:
        example = CARDS[asked.kind].example
        raise UsageError(f"'{asked.kind}' is a card and has no pictures; use it like {example}")
    raise unknown("data set", asked.kind, OPTIONS, "`bench list data` shows them")


def _tiles(spec: str, asked: Argument) -> DataSource:
    if asked.place:
        raise UsageError(f"data set 'tiles' takes no parameters, '{asked.place}' was given")
    found = tiles.identity()
    return DataSource(
        spec, found, "tiles", tiles.RESOLUTION, tiles.LICENCE, place=spec, load=tiles.pairs
    )


def _scenes(spec: str, asked: Argument) -> DataSource:
    given = {"seed": 0, "n": scenes.COUNT}
    options = dict(asked.options)
    if asked.place:
        key, _, options[key] = asked.place.partition("=")
    for key, value in options.items():
        if key not in given:
            raise unknown("parameter of data set 'scenes'", key, given)
        if not (value.isascii() and value.isdigit()):
            raise UsageError(f"scenes: '{key}' must be a whole number, not '{value}'")
        given[key] = int(value)
    return DataSource(
        spec,
        scenes.identity(**given),
        "scenes",
        scenes.RESOLUTION,
        scenes.LICENCE,
        place=spec,
        load=lambda: scenes.pairs(**given),
    )
