"""`Pairs`: an ordered set of pictures with captions, addressed by stable ids."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from PIL.Image import Image


class Pair(NamedTuple):
    """One picture with its caption."""

    id: str
    image: Image
    caption: str
    original: str


@dataclass(frozen=True)
class Pairs:
    """An ordered set of image-caption pairs with stable ids; pictures are opened when asked for.

    `captions` is what a model reads; `originals` is what the picture came with, which no defense
    may overwrite: attacks query with it unless a view says otherwise.
    """

    ids: tuple[str, ...]
    captions: tuple[str, ...]
    originals: tuple[str, ...]
    open_image: Callable[[str], Image]
    pictures: tuple[str, ...] = ()
    """Which picture each pair shows, where several pairs may share one; empty: each its own."""

    def __post_init__(self) -> None:
        if self.pictures and len(self.pictures) != len(self.ids):
            raise ValueError("pictures must be as many as ids, or none")
        if not len(self.ids) == len(self.captions) == len(self.originals):
            raise ValueError("ids, captions and originals must be of one length")
        if len(set(self.ids)) != len(self.ids):
            raise ValueError("ids must be unique")

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Pair]:
        for id_, caption, original in zip(self.ids, self.captions, self.originals, strict=True):
            yield Pair(id_, self.image(id_), caption, original)

    def image(self, id_: str) -> Image:
        """The picture as RGB, upright."""
        return self.open_image(id_)

    def select(self, ids: Sequence[str]) -> Pairs:
        """The pairs with these ids, in this order."""
        where = {id_: i for i, id_ in enumerate(self.ids)}
        rows = [where[id_] for id_ in ids]
        return replace(
            self,
            ids=tuple(ids),
            captions=tuple(self.captions[i] for i in rows),
            originals=tuple(self.originals[i] for i in rows),
            pictures=tuple(self.pictures[i] for i in rows) if self.pictures else (),
        )

    def with_captions(self, captions: Mapping[str, str] | Sequence[str]) -> Pairs:
        """The same pairs read with other captions (a mapping from id may be partial)."""
        if isinstance(captions, Mapping):
            strange = set(captions) - set(self.ids)
            if strange:
                raise ValueError(f"captions for unknown ids, e.g. {min(strange)!r}")
            captions = [captions.get(i, c) for i, c in zip(self.ids, self.captions, strict=True)]
        return replace(self, captions=tuple(captions))
