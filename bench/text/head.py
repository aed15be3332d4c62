"""What a caption is of, in a word: the head of its noun phrase, by rule.

No parser: a phrase ends at the first function word, participle or full stop, and its last word is
the head. In "name: description" the name is the phrase; where that is a proper name or a model
number, whatever the description says that it is ("... is a pump-action shotgun") comes next.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bench.text.synonyms import DETERMINERS, FUNCTION

LONGEST = 4
"""Words of what is left where no head is found: "less than 5 words"."""
ENDS = FUNCTION | set(
    "about above across after against along among around at because before behind below beneath "
    "beside between beyond down during inside near off onto out outside over past there through "
    "toward towards under until upon via whose without within".split()
)
OF = set(
    "bag bit bunch can collection couple group handful kind lot number pack pair picture piece "
    "pile roll selection series set sheet slice sort stack type view".split()
)
"""Heads that say how much or what form: what follows their "of" is meant."""
NOUNS_IN_ING = set("building ceiling king painting ring spring string thing wing".split())
WORD = re.compile(r"[a-z]+(?:['\u2019-][a-z]+)*")
TOKEN = re.compile(r"\.?[^\s.,;:!?()\[\]\"\u201c\u201d]+(?:[./]\d\S*)?|\S")
IS = re.compile(r"\b(?:is|are|was|were)\s+(?=(?:an?|the|one|some)\b)", re.IGNORECASE)


def head(text: str) -> str:
    """The head noun of a caption; its first words where none is found."""
    for phrase in _phrases(text):
        found = _head(phrase)
        if found:
            return found
    return " ".join(text.partition(": ")[0].split()[:LONGEST])


def _phrases(text: str) -> Iterator[str]:
    """Places where a caption may say what it is of, the likeliest first."""
    name, colon, rest = text.partition(": ")
    yield name
    for said in filter(None, (rest if colon else "", text)):
        yield from (said[match.end() :] for match in IS.finditer(said))
        yield said


def _head(phrase: str) -> str:
    """The last word of the noun phrase that begins here; "" if it is none or a proper name."""
    tokens = TOKEN.findall(phrase)
    while tokens and tokens[0].lower() in DETERMINERS:
        del tokens[0]
    words: list[str] = []
    for at, token in enumerate(tokens):
        word, after = token.lower(), tokens[at + 1].lower() if at + 1 < len(tokens) else ""
        if word == "of" and words and words[-1].lower() in OF:
            return _head(" ".join(tokens[at + 1 :]))
        # Between two adjectives, as in "a small, sharp knife" and "a black and white cat".
        if word in {"and", "or"} and words and after not in ENDS:
            continue
        adjective = after.isalpha() and after not in ENDS and not after.endswith("ed")
        if word == "," and len(words) == 1 and words[0][-1] != "s" and adjective:
            continue
        acts = word.endswith("ing") and word not in NOUNS_IN_ING and after in ENDS
        if word in ENDS or not any(map(str.isalnum, word)) or (words and acts):
            break
        words.append(token)
    last = words[-1] if words else ""
    if len(words) == 1:
        last = last[:1].lower() + last[1:]  # a sentence may begin with it
    return last if WORD.fullmatch(last) else ""
