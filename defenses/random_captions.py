"""Defenses `rc`, `rt`, `cwr` and `caption_dropout`: now and then a visit reads another caption."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from bench.api import Context, Defense, Pairs, Training
from bench.errors import UsageError

DCR = "Somepalli et al., NeurIPS 2023, arXiv 2305.20086"


@dataclass
class _Sometimes(Defense):
    """What all share: every visit by itself is changed with probability `p`; 0 changes none."""

    level: ClassVar = "visit"

    p: float = 0.1

    def __post_init__(self) -> None:
        """Refuse what is no probability."""
        if not 0.0 <= self.p <= 1.0:
            raise UsageError(f"defense {self.name}: p={self.p} must lie between 0 and 1")
        self._notes: dict[str, Any] = {}

    def begin(self, training: Training) -> None:
        self._notes = training.notes

    def caption(self, pair: str, caption: str, rng: np.random.Generator) -> str:
        changed, notes = bool(rng.random() < self.p), self._notes
        notes["visits"] = notes.get("visits", 0) + 1
        notes["visits_changed"] = notes.get("visits_changed", 0) + changed
        notes["changed"] = notes["visits_changed"] / notes["visits"]
        return self.other(caption, rng) if changed else caption

    def other(self, caption: str, rng: np.random.Generator) -> str:
        """What is read in the place of this caption."""
        raise NotImplementedError

    def replay(self, pairs: Pairs, context: Context, number: int) -> Pairs:
        """As they are: chance words tell an attacker nothing."""
        return pairs


@dataclass
class _Words(_Sometimes):
    """One of them that puts `n` words in, or tokens of the base's own tokenizer."""

    n: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n < 1:
            raise UsageError(f"defense {self.name}: n={self.n} must be at least 1; p=0 is none")

    def begin(self, training: Training) -> None:
        super().begin(training)
        self._vocabulary, self._decode = training.vocabulary, training.decode

    def drawn(self, tokens: int, rng: np.random.Generator) -> str:
        """The text of so many random tokens."""
        places = rng.integers(len(self._vocabulary), size=tokens)
        return " ".join(self._decode([self._vocabulary[i] for i in places]).split())


def inserted(caption: str, words: Sequence[str], rng: np.random.Generator) -> str:
    """The caption with these words put in one after the other, each at any place."""
    text = caption.split()
    for word in words:
        text.insert(int(rng.integers(len(text) + 1)), word)
    return " ".join(text)


@dataclass
class RandomCaption(_Words):
    """RC: with probability `p` a visit reads `n` random tokens instead of the caption.

    Somepalli et al. 2023 (arXiv 2305.20086), `randrepl` of the code github.com/somepago/DCR with
    its defaults 0.1 and 4. There ids are uniform in 0 ... 49,399, all but the last eight of CLIP's;
    here over the tokens of whatever tokenizer the base has, without its special ones. The text
    that random ids decode to is seldom tokenised into them again.
    """

    name: ClassVar[str] = "rc"
    paper: ClassVar[str] = DCR

    n: int = 4

    def other(self, caption: str, rng: np.random.Generator) -> str:
        return self.drawn(self.n, rng)


@dataclass
class RandomTokens(_Words):
    """RT: with probability `p` a visit reads the caption with `n` random tokens put in.

    Somepalli et al. 2023 (arXiv 2305.20086), `randwordadd` of the code with its defaults 0.1 and 2:
    each token is decoded by itself and put at a random place between the words. Tokens as in `rc`.
    `rt[p=1,n=1]` is the baseline of Wen et al. 2024 (arXiv 2407.21720).
    """

    name: ClassVar[str] = "rt"
    paper: ClassVar[str] = DCR

    def other(self, caption: str, rng: np.random.Generator) -> str:
        return inserted(caption, [self.drawn(1, rng) for _ in range(self.n)], rng)


@dataclass
class RepeatedWords(_Words):
    """CWR: with probability `p` a visit reads the caption with `n` of its own words put in again.

    Somepalli et al. 2023 (arXiv 2305.20086), `wordrepeat` of the code with its defaults 0.1 and 2:
    words are drawn with replacement, places are random.
    """

    name: ClassVar[str] = "cwr"
    paper: ClassVar[str] = DCR

    def other(self, caption: str, rng: np.random.Generator) -> str:
        words = caption.split()
        again = [words[i] for i in rng.integers(len(words), size=self.n)] if words else []
        return inserted(caption, again, rng)

    def replay(self, pairs: Pairs, context: Context, number: int) -> Pairs:
        """As a visit might read them: the words are the caption's own."""
        return Defense.replay(self, pairs, context, number)


@dataclass
class CaptionDropout(_Sometimes):
    """With probability `p` a visit reads the empty caption, as training for guidance does.

    Ho and Salimans 2022 (arXiv 2207.12598); `--proportion_empty_prompts` of the published script
    for SDXL, that for SD 1.x has none. Members then train the unconditional output too, between
    which and the conditional one CLiD looks for a gap.
    """

    name: ClassVar[str] = "caption_dropout"
    paper: ClassVar[str] = "Ho and Salimans, 2022, arXiv 2207.12598"

    def other(self, caption: str, rng: np.random.Generator) -> str:
        return ""
