"""Rewrites a caption by rule: turns of phrase first, then synonyms, then grammar put right.

Deterministic in (text, generator, rate), and it reads nothing but the shipped table. A caption in
the form "name: description" keeps that form; both sides may be rewritten.
"""

from __future__ import annotations

import re
from functools import partial

import numpy as np

from bench.text.measure import plain
from bench.text.phrases import rules
from bench.text.synonyms import match_case, replace, starts_sentence

FROZEN = 0xE000
"""First of the private characters that stand for text already rewritten."""
ARTICLE = re.compile(r"\b([Aa]n?) (?=([a-z][a-z'\u2019-]*))")
SOUNDS_VOWEL = re.compile(r"hour|honest|honou?r|heir|herb\b")
SOUNDS_CONSONANT = re.compile(r"uni(?![nmd])|us[aeu]|util|eu|ewe|one\b|once|ubiq|ur(?:an|in)|ufo")
FRAMES = ("Seen here: {}", "Pictured: {}", "Shown here: {}")
"""Last resort for a text in which no rule and no synonym applies."""


class Scribe:
    """One caption being rewritten; each word form is decided once, so that a caption agrees."""

    def __init__(self, rng: np.random.Generator, rate: float, only: int | None = None) -> None:
        self.rng = rng
        self.rate = rate
        self.only = only
        self.met = 0
        self.frozen: list[str] = []
        self.decided: dict[str, str | None] = {}

    def rewrite(self, text: str) -> str:
        """The text with phrases and words replaced, articles and blanks put right."""
        for pattern, alternatives in rules():
            text = pattern.sub(partial(self._phrase, alternatives), text)
        text = replace(text, self._word)
        for at, piece in enumerate(self.frozen):
            text = text.replace(chr(FROZEN + at), piece)
        return " ".join(fix_articles(text).split())

    def _phrase(self, alternatives: tuple[str, ...], match: re.Match[str]) -> str:
        whole, pre = match[0], match.groupdict().get("pre") or ""
        old = whole[len(pre) :]
        starts = starts_sentence(match.string, match.start() + len(pre))
        if (old[:1].isupper() and not starts) or "\ue000" <= max(old) <= "\uf8ff":
            return whole
        expanded = (match.expand(alternative).lower() for alternative in alternatives)
        new = [n for n in expanded if n != old.lower()]
        if not new or self._kept():
            return whole
        chosen = match_case(new[self.rng.integers(len(new))], old)
        body = chosen.rstrip(" ")
        self.frozen.append(body)
        return pre + chr(FROZEN + len(self.frozen) - 1) + chosen[len(body) :]

    def _kept(self) -> bool:
        """Whether the candidate now met stays as it is."""
        self.met += 1
        if self.only is not None:
            return self.met - 1 != self.only
        return bool(self.rng.random() >= self.rate)

    def _word(self, form: str, synonyms: tuple[str, ...]) -> str | None:
        if form not in self.decided:
            self.decided[form] = (
                None if self._kept() else synonyms[self.rng.integers(len(synonyms))]
            )
        return self.decided[form]


def rewrite(text: str, rng: np.random.Generator, rate: float = 1.0) -> tuple[str, bool]:
    """A text that says the same in other words, and whether only a frame could be put around it.

    `rate` is the share of replaceable words and phrases that are replaced; 0 changes nothing, and
    above 0 every text comes out different.
    """
    if rate <= 0 or not text.strip():
        return text, False
    new = Scribe(rng, rate).rewrite(text)
    if plain(new) != plain(text):
        return new, False
    # Nothing was drawn: the smallest rewrite there is, one candidate alone.
    smallest = _one_change(text, rng)
    if smallest:
        return smallest, False
    return FRAMES[rng.integers(len(FRAMES))].format(" ".join(text.split())), True


def _one_change(text: str, rng: np.random.Generator) -> str | None:
    """The text with one randomly chosen candidate replaced; None where there is none."""
    candidates = Scribe(rng, 1.0)
    candidates.rewrite(text)
    for chosen in rng.permutation(candidates.met):
        new = Scribe(rng, 1.0, only=int(chosen)).rewrite(text)
        if plain(new) != plain(text):
            return new
    return None


def fix_articles(text: str) -> str:
    """`a` and `an` as the next word sounds; before capitals and digits they stay."""

    def fixed(match: re.Match[str]) -> str:
        right = "an" if sounds_vowel(match[2]) else "a"
        return match_case(right, match[1]) + " "

    return ARTICLE.sub(fixed, text)


def sounds_vowel(word: str) -> bool:
    """Whether a word takes `an`."""
    if SOUNDS_VOWEL.match(word):
        return True
    return word[0] in "aeiou" and not SOUNDS_CONSONANT.match(word)
