"""Defense `mc`: every picture has several captions, and each visit reads one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from bench.api import Context, Pairs
from bench.errors import UsageError
from bench.text.rewrite import rewrite
from bench.text.rewrites import read_several_rewrites
from bench.text.rewriting import TextsFromBackend, file_notes

RATE = 0.5
"""Share of what can be replaced that a rewrite by rule replaces; at 1 many come out equal."""
TRIES = 8
"""Rewrites tried for one that the caption does not have yet."""


@dataclass
class SeveralCaptions(TextsFromBackend):
    """MC: each visit reads one of `k` other captions or the original, drawn uniformly.

    Somepalli et al. 2023 (arXiv 2305.20086), "multiple captions", `allcaps` of the code
    github.com/somepago/DCR; "prompt diversification" of Tran et al. 2024 (arXiv 2410.16657), who
    drew one of five captions by BLIP and the original: here `k=5`. 0 is no defense.

    - `rule` (default, offline): rewrites by the rules of `reph`, of half of what they can replace.
      Not what the papers did: a rewrite says the same in the same order. A caption that gives fewer
      different rewrites has fewer.
    - `file`: JSON lines `{"id", "text"}` at `path`, an id on several lines; the first `k` of each
      are taken, `orig_sha256` is checked where given. BLIP's captions make this the papers' own.

    Attacks query the original. "Original" and what is rewritten are the caption as defenses of the
    data left it; of defenses of visits name `mc` first, as its choice takes the place of theirs;
    only `del` with per=once goes before it, as it acts on the data.
    """

    name: ClassVar[str] = "mc"
    level: ClassVar = "visit"
    paper: ClassVar[str] = "Somepalli et al., NeurIPS 2023, arXiv 2305.20086"

    backends: ClassVar[Sequence[str]] = ("rule", "file")

    k: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.k < 0:
            raise UsageError(f"defense mc: k={self.k} must be at least 0")
        self._others: dict[str, list[str]] = {}

    def prepare(self, pairs: Pairs, context: Context) -> Pairs:
        """The pairs as they are; their other captions are made here and read at visits."""
        notes, own = context.notes, dict(zip(pairs.ids, pairs.captions, strict=True))
        if self.k and self.backend == "file":
            path = Path(self.path).expanduser()
            given = read_several_rewrites(path, own)
            self._others = {i: texts[: self.k] for i, texts in zip(own, given, strict=True)}
            notes.update(file_notes(path))
        else:
            self._others = {i: self._rewrites(i, text, context) for i, text in own.items()}
        counts = [len(texts) for texts in self._others.values()]
        notes.update(label=self.title, backend=self.backend, captions=len(pairs))
        notes.update(others=sum(counts) / max(len(counts), 1), fewest=min(counts, default=0))
        return pairs

    def _rewrites(self, id_: str, caption: str, context: Context) -> list[str]:
        """Different rewrites of one caption, as many as there are up to `k`."""
        rng = context.rng("mc", id_)
        found = {caption: None}
        for _ in range(self.k * TRIES):
            if len(found) > self.k:
                break
            found[rewrite(caption, rng, RATE)[0]] = None
        return list(found)[1 : self.k + 1]

    def caption(self, pair: str, caption: str, rng: np.random.Generator) -> str:
        """One of them; the original in the form that defenses before this one gave it."""
        texts = [caption, *self._others[pair]]
        return texts[int(rng.integers(len(texts)))]
