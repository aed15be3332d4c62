"""Defense `reph`: train on captions rewritten once, before training."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

from bench.api import Context, Defense, Pairs
from bench.errors import UsageError
from bench.text import synonyms
from bench.text.language_model import INSTRUCTION, Rewriter
from bench.text.measure import jaccard_distance, plain, words_changed
from bench.text.rewrite import rewrite
from bench.text.rewrites import read_rewrites

Backend = Literal["rule", "file", "llm"]
LABELS = {"rule": "reph-rule", "file": "reph", "llm": "reph-llm"}
"""What a row may be called: only given rewrites can be those of the paper's own method."""


@dataclass
class Rephrase(Defense):
    """Trains on rewritten captions, one rewrite a picture; attacks query the original.

    Row "Reph" of Table 5 in Zhai et al. 2024 (arXiv 2405.14800): ChatGPT-3.5 rewrote every caption
    of the training set with "Please rewrite the following sentences while keeping the key
    semantics." (footnote 6); model version, temperature and number of rewrites are not given.

    Here a backend does it, and the row says which:

    - `rule` (default, offline): phrase rules and WordNet synonyms, picked per pair from the run's
      seed. Not the paper's method: word order mostly stays, and about a quarter of the words
      change. `rate` is the share of the replaceable phrases and words that are replaced; 0
      changes nothing.
    - `file`: rewrites from JSON lines `{"id", "text"}` at `path`, with `orig_sha256` checked where
      given; with ChatGPT's rewrites this is the paper's defense.
    - `llm`: a causal language model at `path` (a folder, or NAME@REVISION of a hub: the revision
      is what the key knows of it), the paper's prompt plus
      "Return only the rewritten sentence.", greedy; a rewrite that is empty or unchanged is
      replaced by that of `rule` and counted.
    """

    name: ClassVar[str] = "reph"
    paper: ClassVar[str] = "Zhai et al., NeurIPS 2024, Table 5"

    backend: Backend = "rule"
    path: str = ""
    rate: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what cannot run before anything does."""
        if self.backend not in get_args(Backend):
            known = ", ".join(get_args(Backend))
            raise UsageError(f"defense reph: no backend '{self.backend}'; known: {known}")
        if self.backend == "rule" and self.path:
            raise UsageError("defense reph: path belongs to backend=file or backend=llm")
        if self.backend != "rule" and not self.path:
            what = "JSON-lines file" if self.backend == "file" else "folder or hub id of a model"
            raise UsageError(f"defense reph: backend={self.backend} needs path=, the {what}")
        if self.backend == "file" and not Path(self.path).expanduser().is_file():
            raise UsageError(f"defense reph: no file of rewrites at {self.path}")
        if self.backend == "llm" and "@" not in self.path and _is_hub_id(self.path):
            raise UsageError(
                f"defense reph: pin the hub model, path={self.path}@REVISION, or name a folder"
            )
        if not 0.0 <= self.rate <= 1.0:
            raise UsageError(f"defense reph: rate={self.rate} must lie between 0 and 1")

    @property
    def title(self) -> str:
        return LABELS[self.backend]

    def reads(self) -> Sequence[Path]:
        """The rules and their table, or the given rewrites or model where they lie on this disk."""
        rules = [Path(synonyms.__file__).parent, synonyms.TABLE]
        return {"rule": rules, "file": [Path(self.path).expanduser()]}.get(
            self.backend, [*rules, Path(self.path).expanduser()]
        )

    def prepare(self, pairs: Pairs, context: Context) -> Pairs:
        """The pairs with rewritten captions; what changed goes into the notes."""
        texts, extra = self._texts(pairs, context)
        context.notes.update(label=LABELS[self.backend], backend=self.backend)
        context.notes.update(extra | strength(pairs.captions, texts))
        return pairs.with_captions(texts)

    def _texts(self, pairs: Pairs, context: Context) -> tuple[list[str], dict[str, Any]]:
        if self.backend == "file":
            path = Path(self.path).expanduser()
            texts = read_rewrites(path, dict(zip(pairs.ids, pairs.captions, strict=True)))
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            return texts, {"rewrites": path.name, "rewrites_sha256": digest}
        if self.backend == "llm":
            return self._by_model(pairs, context)
        rewritten = [
            self._by_rule(id_, caption, context)
            for id_, caption in zip(pairs.ids, pairs.captions, strict=True)
        ]
        framed = sum(only_frame for _, only_frame in rewritten)
        return [text for text, _ in rewritten], {"rate": self.rate, "framed": framed}

    def _by_rule(self, id_: str, caption: str, context: Context) -> tuple[str, bool]:
        return rewrite(caption, context.rng("reph", id_), self.rate)

    def _by_model(self, pairs: Pairs, context: Context) -> tuple[list[str], dict[str, Any]]:
        """Greedy decoding gives the same again, so a failed rewrite goes to the rules instead."""
        model = Rewriter(self.path)
        texts, fallbacks = [], 0
        for id_, caption in zip(pairs.ids, pairs.captions, strict=True):
            text = model.rewrite(caption)
            if plain(text) in {"", plain(caption)}:
                text, fallbacks = self._by_rule(id_, caption, context)[0], fallbacks + 1
            texts.append(text)
        return texts, {"model": self.path, "prompt": INSTRUCTION, "fallbacks": fallbacks}


def _is_hub_id(path: str) -> bool:
    """Neither a folder nor written like one."""
    place = Path(path).expanduser()
    return not place.is_dir() and not place.is_absolute() and not path.startswith((".", "~"))


def strength(old: Sequence[str], new: Sequence[str]) -> dict[str, float]:
    """Realised strength: how many captions changed, and how far on average."""
    both = list(zip(old, new, strict=True))
    n = max(len(both), 1)
    return {
        "captions": len(both),
        "changed": sum(plain(a) != plain(b) for a, b in both) / n,
        "words_changed": sum(words_changed(a, b) for a, b in both) / n,
        "jaccard_distance": sum(jaccard_distance(a, b) for a, b in both) / n,
    }
