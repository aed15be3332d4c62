"""Defense `reph`: train on captions rewritten once, before training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bench.api import Context, Pairs
from bench.errors import UsageError
from bench.text.language_model import INSTRUCTION
from bench.text.rewrite import rewrite
from bench.text.rewriting import RewritingDefense


@dataclass
class Rephrase(RewritingDefense):
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

    instruction: ClassVar[str] = INSTRUCTION

    rate: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 <= self.rate <= 1.0:
            raise UsageError(f"defense reph: rate={self.rate} must lie between 0 and 1")

    def prepare(self, pairs: Pairs, context: Context) -> Pairs:
        if self.backend == "rule":
            context.notes.update(rate=self.rate, framed=0)
        return super().prepare(pairs, context)

    def by_rule(self, id_: str, caption: str, context: Context) -> str:
        text, only_frame = rewrite(caption, context.rng("reph", id_), self.rate)
        context.notes["framed"] = context.notes.get("framed", 0) + only_frame
        return text
