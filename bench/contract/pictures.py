"""The pairs of the contract: drawn scenes, whose pictures are watched and may not be written to."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from bench.data import scenes
from bench.data.pairs import Pairs

if TYPE_CHECKING:
    from PIL.Image import Image


class Watched:
    """Pairs that remember which pictures were opened, and whether they were changed.

    Each picture is one object, handed out again and again: what is written into it stays.
    """

    def __init__(self, pairs: Pairs) -> None:
        self.opened: set[str] = set()
        self._given: dict[str, Image] = {}
        self._source = pairs
        self.pairs = replace(pairs, open_image=self._open)
        self._before = self._texts()

    def changed(self) -> str | None:
        """What of it is no longer what it was, in words."""
        if self._texts() != self._before:
            return "ids or captions of the pairs it was handed"
        for id_, picture in self._given.items():
            if _digest(picture) != _digest(self._source.image(id_)):
                return f"the picture of {id_}"
        return None

    def _open(self, id_: str) -> Image:
        self.opened.add(id_)
        if id_ not in self._given:
            self._given[id_] = self._source.image(id_)
        return self._given[id_]

    def _texts(self) -> tuple[tuple[str, ...], ...]:
        return self.pairs.ids, self.pairs.captions, self.pairs.originals


def part(start: int, count: int) -> Pairs:
    """So many scenes from this number on."""
    drawn = scenes.pairs()
    return drawn.select(drawn.ids[start : start + count])


def _digest(picture: Image) -> str:
    return hashlib.sha256(picture.tobytes()).hexdigest()
