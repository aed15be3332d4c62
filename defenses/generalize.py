"""Defense `generalize`: train on what a caption is of, in less than five words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bench.api import Context, Pairs
from bench.errors import UsageError
from bench.text.head import LONGEST, head
from bench.text.rewriting import RewritingDefense


@dataclass
class Generalize(RewritingDefense):
    """Trains on extremely general captions, made once, before training; attacks query the original.

    The first half of Li et al. 2023 (arXiv 2309.07254): `gpt-3.5-turbo-0613` at temperature 0 was
    told of every caption "Make this caption of an image extremely general (result in less than 5
    words)". Their second half, dual fusion with pictures of another data set, is not part of this.

    `rule` (default, offline, not the paper's model) keeps the head of the caption's noun phrase, of
    "huge black widow spider: A ..." the word "spider"; where it finds none, the first four words.
    `file` and `llm` (greedy; an answer of more than four words goes to the rule) as in `reph`. Each
    caption is generalised with probability `p`; 0 changes none.
    """

    name: ClassVar[str] = "generalize"
    paper: ClassVar[str] = "Li et al., 2023, arXiv 2309.07254"
    instruction: ClassVar[str] = (
        "Make this caption of an image extremely general (result in less than 5 words)"
    )

    p: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 <= self.p <= 1.0:
            raise UsageError(f"defense generalize: p={self.p} must lie between 0 and 1")

    def prepare(self, pairs: Pairs, context: Context) -> Pairs:
        chosen = [id_ for id_ in pairs.ids if context.rng("generalize", id_).random() < self.p]
        made = super().prepare(pairs.select(chosen), context)
        lengths = [len(caption.split()) for caption in made.captions]
        context.notes["words_left"] = sum(lengths) / max(len(lengths), 1)
        context.notes["different"] = len(set(made.captions))
        return pairs.with_captions(dict(zip(made.ids, made.captions, strict=True)))

    def by_rule(self, id_: str, caption: str, context: Context) -> str:
        return head(caption)

    def accepts(self, answer: str, caption: str) -> bool:
        return 0 < len(answer.split()) <= LONGEST
