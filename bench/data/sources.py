"""Where pairs come from: `tiles`, `scenes` or `folder:PATH`, opened by the name that was typed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from bench.data import folder, scenes, tiles
from bench.data.pairs import Pairs
from bench.data.sizes import SplitSizes
from bench.errors import UsageError, unknown


@dataclass(frozen=True)
class DataSource:
    """A data set that exists and passed its checks; its pairs are made when asked for."""

    name: str
    """As it was typed."""
    identity: str
    """sha256 of the content; two sources of one identity are the same data."""
    label: str
    """Short, for tables: `tiles`, `scenes`, or the folder's own name."""
    resolution: int
    """Pixels of the shorter side (the median in a folder)."""
    licence: str
    notes: tuple[str, ...] = ()
    """What the user should hear about and need not act on."""
    sizes: SplitSizes | None = None
    """What a card says each part of a split holds; None: the usual proportions."""
    card: str | None = None
    """Name of the card it follows."""
    load: Callable[[], Pairs] = field(kw_only=True, compare=False, repr=False)

    def pairs(self) -> Pairs:
        """All pairs in their fixed order."""
        return self.load()


class SourceInfo(NamedTuple):
    """One line of `bench list data`."""

    name: str
    about: str
    licence: str
    pairs: int | None


def list_sources() -> list[SourceInfo]:
    """The data sets that can be named, without opening any."""
    return [
        SourceInfo(
            "tiles", "game sprites with human-written captions", tiles.LICENCE, tiles.count()
        ),
        SourceInfo(
            "scenes[:seed=0,n=3000]",
            "procedural shapes with exact captions; calibrates, no headline",
            scenes.LICENCE,
            scenes.COUNT,
        ),
        SourceInfo(
            "folder:PATH", "your pictures, captions in PATH/metadata.jsonl", "your own", None
        ),
    ]


def open_source(spec: str) -> DataSource:
    """The data set of this name; a folder is read and checked in full here."""
    name, colon, argument = spec.partition(":")
    if name not in _OPENERS:
        raise unknown("data set", name, _OPENERS, "`bench list data` shows them")
    return _OPENERS[name](spec, argument if colon else "")


def _tiles(spec: str, argument: str) -> DataSource:
    if argument:
        raise UsageError(f"data set 'tiles' takes no parameters, '{argument}' was given")
    return DataSource(
        spec, tiles.identity(), "tiles", tiles.RESOLUTION, tiles.LICENCE, load=tiles.pairs
    )


def _scenes(spec: str, argument: str) -> DataSource:
    given = {"seed": 0, "n": scenes.COUNT}
    for part in filter(None, argument.split(",")):
        key, _, value = part.partition("=")
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
        load=lambda: scenes.pairs(**given),
    )


def _folder(spec: str, argument: str) -> DataSource:
    if not argument:
        raise UsageError("data set 'folder' needs a path: folder:PATH")
    found = folder.read(argument)
    left_out = f"{found.unlisted} pictures in {found.root} are not in {folder.METADATA}: left out"
    notes = (left_out,) if found.unlisted else ()
    label = found.root.resolve().name or "folder"
    return DataSource(
        spec, found.identity, label, found.resolution, "your own", notes, load=found.pairs
    )


_OPENERS: dict[str, Callable[[str, str], DataSource]] = {
    "tiles": _tiles,
    "scenes": _scenes,
    "folder": _folder,
}
