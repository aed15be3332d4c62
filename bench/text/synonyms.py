"""Word for word: single words and compounds replaced by synonyms from the shipped WordNet table.

The table says which forms may be replaced and as what part of speech; the words on either side
decide whether that part of speech is meant. Words that belong to a compound ("hot dog"), to a
hyphen, or to a proper name stay as they are.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bench.errors import OfflineError

TABLE = Path(__file__).parents[1] / "zoo" / "wordnet" / "synonyms.json.gz"
WORD = re.compile(r"(?<![\w'\u2019)-])[A-Za-z]+(?:-[a-z]+)*(?![\w'\u2019-])")
LONGEST = 4
"""Words of the longest compound looked for."""


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


BEFORE_VERB = _set(
    "to can could will would may might must should cannot not you they we i please "
    "can't won't don't doesn't didn't couldn't wouldn't shouldn't"
)
NEVER_BEFORE_NOUN = BEFORE_VERB - {"not"}
PARTICLES = _set("off up out down away over back apart together")
SUBJECTS = _set("it that which who he she this one also often still usually always")
DETERMINERS = _set(
    "a an the this that these those its his her their your my our some any no each every "
    "of with in on for from by into as than one two three four"
)
FUNCTION = DETERMINERS | _set(
    "and or but to is are was were be been being has have had can could will would may might "
    "at it they you he she we if when while which who where so not because"
)
LINKING = _set(
    "is are was were be been being look looks looking looked seem seems appear appears very too "
    "quite rather so more most extremely somewhat and or but it's they're"
)


@dataclass(frozen=True)
class Table:
    """Form -> part of speech -> synonyms in the same form; and compounds to leave whole."""

    synonyms: Mapping[str, Mapping[str, tuple[str, ...]]]
    compounds: frozenset[str]


@cache
def table() -> Table:
    """The shipped table, read once."""
    try:
        content = json.loads(gzip.decompress(TABLE.read_bytes()))
    except FileNotFoundError:
        raise OfflineError(
            f"the synonym table {TABLE} is missing; reinstall the package or rebuild it with "
            "tools/build_synonyms.py"
        ) from None
    return Table(
        {
            form: {tag: tuple(words) for tag, words in tags.items()}
            for form, tags in content["synonyms"].items()
        },
        frozenset(content["compounds"]),
    )


Choose = Callable[[str, tuple[str, ...]], str | None]
"""Of a form and its synonyms, the one to put in its place, or None to leave it."""


def replace(text: str, choose: Choose, words: Table | None = None) -> str:
    """Every replaceable word or compound of the text as `choose` says; the rest untouched."""
    words = words or table()
    found = list(WORD.finditer(text))
    pieces, end, at = [], 0, 0
    while at < len(found):
        length, tag_words = _longest(text, found, at, words)
        first, last = found[at], found[at + length - 1]
        new = choose(text[first.start() : last.end()].lower(), tag_words) if tag_words else None
        if new is not None:
            pieces += [text[end : first.start()], match_case(new, first[0])]
            end = last.end()
        at += length
    return "".join([*pieces, text[end:]])


def _longest(
    text: str, found: list[re.Match[str]], at: int, words: Table
) -> tuple[int, tuple[str, ...]]:
    """How many words from here belong together, and what may replace them."""
    for length in range(min(LONGEST, len(found) - at), 1, -1):
        span = text[found[at].start() : found[at + length - 1].end()]
        form = span.lower()
        name = span[0].isupper() and not starts_sentence(text, found[at].start())
        if name or span[1:] != form[1:] or not re.fullmatch(r"[\w-]+(?: [\w-]+)*", span):
            continue
        tags = words.synonyms.get(form)
        if tags:
            return length, next(iter(tags.values()))
        if form in words.compounds or (form[:-1] in words.compounds and form.endswith("s")):
            return length, ()
    return 1, _single(text, found[at], words)


def _single(text: str, match: re.Match[str], words: Table) -> tuple[str, ...]:
    word = match[0]
    capital = word[0].isupper()
    if (capital and not starts_sentence(text, match.start())) or word[1:] != word[1:].lower():
        return ()
    tags = words.synonyms.get(word.lower(), {})
    if not tags:
        return ()
    before = neighbour(text[: match.start()], last=True)
    rest = text[match.end() :]
    if before in {"a", "an", "the"} and re.match(r", [a-z]", rest):
        rest = rest[1:]  # "a small, sharp knife": the comma parts two adjectives
    after = neighbour(rest, last=False)
    for tag, synonyms in tags.items():
        if fits(tag, before, after):
            return synonyms
    return ()


def fits(tag: str, before: str, after: str) -> bool:
    """Whether a form can be this part of speech between these two words ("" = none)."""
    if tag.startswith("v"):
        return _fits_verb(tag, before, after)
    if tag == "n" and after and after not in FUNCTION and not after.endswith(("ed", "ing", "ly")):
        return False  # the first half of a compound, whatever WordNet knows of it
    if tag in {"n", "ns"}:
        return before not in NEVER_BEFORE_NOUN
    if tag == "a":
        described = bool(after) and after not in FUNCTION and not after.endswith("ly")
        return (described and before not in {"to", "you"}) or before in LINKING
    return before != "not"  # "not nearly" is not "not almost"


def _fits_verb(tag: str, before: str, after: str) -> bool:
    if after in PARTICLES:
        return False  # "show off" is another verb than "show"
    if tag == "v":
        return before in BEFORE_VERB
    return tag != "vz" or before in SUBJECTS or not before


def neighbour(text: str, last: bool) -> str:
    """The word that touches this text's end (or start) with one blank between, or ""."""
    pattern = r"([\w'\u2019-]+) $" if last else r"^ ([\w'\u2019-]+)"
    match = re.search(pattern, text)
    return match[1].lower() if match else ""


def starts_sentence(text: str, at: int) -> bool:
    """Whether a capital here is the sentence's and not a name's."""
    return not text[:at].strip() or bool(re.search(r"[.:;!?]['\"”)]? $", text[:at]))


def match_case(new: str, old: str) -> str:
    """`new` with a capital where `old` had one."""
    return new[:1].upper() + new[1:] if old[:1].isupper() else new
