"""A data set that exists and passed its checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from bench.data.pairs import Pairs
from bench.data.sizes import SplitSizes


@dataclass(frozen=True)
class Facts:
    """What a data set of the user's own holds."""

    pictures: int
    captions: int
    """As listed, before any pictures were drawn."""
    drawn: int
    pairs: int
    sides: tuple[int, int, int]
    """Shorter sides in pixels: the smallest, the median, the largest."""
    words: tuple[int, int, int]
    """Words a caption, likewise."""
    part: str
    """Name of its annotation file or split, by which a card expects counts."""
    card: str | None
    commit: str | None


@dataclass(frozen=True)
class DataSource:
    """A data set that exists and passed its checks; its pairs are made when asked for."""

    name: str
    """As it was typed."""
    identity: str
    """sha256 of the content and, where a card is followed, of its sizes; equal for equal data."""
    label: str
    """Short, for tables: `tiles`, `scenes`, a card's name or the folder's own."""
    resolution: int
    """Pixels of the shorter side (the median in a folder)."""
    licence: str
    notes: tuple[str, ...] = ()
    """What the user should hear about and need not act on."""
    sizes: SplitSizes | None = None
    """What a card says each part of a split holds; None: the usual proportions."""
    place: str = ""
    """The name that means the same from every folder and at any time: full paths, a commit."""
    facts: Facts | None = None
    """None for what is embedded."""
    load: Callable[[], Pairs] = field(kw_only=True, compare=False, repr=False)

    @property
    def card(self) -> str | None:
        """Name of the card it follows."""
        return self.facts.card if self.facts else None

    def pairs(self) -> Pairs:
        """All pairs in their fixed order."""
        return self.load()
