"""Defense `first_words`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from bench.api import Context, Defense, Pairs

from . import words


@dataclass
class FirstWords(Defense):
    """Keeps the first words of every caption, so that less of it is learnt with its picture."""

    name: ClassVar[str] = "first_words"
    zero: ClassVar[Mapping[str, Any]] = {"count": 1000}
    count: int = 5

    def reads(self) -> Sequence[Path]:
        return (Path(words.__file__),)

    def prepare(self, pairs: Pairs, context: Context) -> Pairs:
        cut = [words.first(caption, self.count) for caption in pairs.captions]
        changed = sum(a != b for a, b in zip(pairs.captions, cut, strict=True))
        context.notes["changed"] = changed / max(len(pairs), 1)
        return pairs.with_captions(cut)
