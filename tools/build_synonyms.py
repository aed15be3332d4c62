"""Build the synonym table of the rule-based rephrasing from WordNet (Debian package wordnet-base).

    python tools/build_synonyms.py --wordnet share/wordnet [--check]

The file `review.txt` beside the table has the last word; what it does not name comes from the rest:
1. reviewed: pairs chosen by reading, each checked here to share a synset, and near-synonyms of
   everyday words added by hand (lines with a +), which are the only ones not from WordNet;
2. mutual: the lemma's dominant sense by tag counts is the synonym's dominant sense as well;
3. compounds: nouns with one sense only, both of things, animals, food or plants.
Then every entry is inflected, and a form that could be another word is dropped.
"""

import argparse
import gzip
import hashlib
import json
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

from wordnet_senses import WordNet, read_wordnet

from bench.text.inflection import forms

FOLDER = Path(__file__).resolve().parents[1] / "bench" / "zoo" / "wordnet"
THINGS = {"05", "06", "13", "20"}
"""Lexicographer files: noun.animal, noun.artifact, noun.food, noun.plant."""
LEMMA_SHARE, SYNONYM_SHARE, FORM_SHARE = 0.7, 0.6, 0.6
"""How much of a word's tagged use the meant sense must have: replaced, offered, inflected."""
ONLY = {"n1": "n", "ns": "ns", "v0": "v", "vz": "vz", "vg": "vg", "vd": "vd"}
"""Prefixes of the review that mean one form -> its tag."""
FAMILIAR = 12
"""Uses in WordNet's own definitions that make a word common enough to replace unread."""


class Entry(NamedTuple):
    """One lemma with its synonyms; `only` limits the forms, `by_hand` ones are not WordNet's."""

    lemma: str
    pos: str
    synonyms: tuple[str, ...]
    only: str = ""
    by_hand: bool = False


class Review(NamedTuple):
    """What `review.txt` says."""

    entries: list[Entry]
    denied: set[str]
    compounds: set[str]


def read_review(path: Path) -> Review:
    """Parse the file; its head describes the lines."""
    review = Review([], set(), set())
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        kind, _, rest = line.partition(" ")
        if kind == "-":
            review.denied.update(rest.split())
        elif kind == "~":
            review.compounds.add(rest.strip())
        else:
            lemma, _, synonyms = rest.partition(":")
            chosen = tuple(s.strip() for s in synonyms.split(","))
            pos, only = kind.lstrip("+")[0], ONLY.get(kind.lstrip("+"), "")
            review.entries.append(Entry(lemma, pos, chosen, only, kind.startswith("+")))
    return review


def check_review(review: Review, wordnet: WordNet) -> None:
    """Every reviewed pair must share a synset: the table holds WordNet's synonyms and no others."""
    wrong = [
        f"{entry.pos} {entry.lemma}: {synonym}"
        for entry in review.entries
        for synonym in entry.synonyms
        if not entry.by_hand and not wordnet.share_synset(entry.lemma, synonym, entry.pos)
    ]
    if wrong:
        raise SystemExit("not in one synset: " + "; ".join(wrong))


def mutual(wordnet: WordNet, denied: set[str]) -> list[Entry]:
    """Tier 2: single words whose dominant sense is the same, both seen in tagged text."""
    found = []
    for lemma in wordnet.lemmas():
        if not lemma.isalpha() or len(lemma) < 3 or lemma in denied:
            continue
        sense = wordnet.dominant(lemma)
        if sense.share < LEMMA_SHARE or wordnet.uses[lemma] < FAMILIAR:
            continue
        alone = len(wordnet.senses[lemma]) == 1
        chosen = []
        for synonym in wordnet.members[sense.synset]:
            if synonym == lemma or not (synonym.isalpha() and synonym.islower()):
                continue
            other = wordnet.dominant(synonym)
            same = other.synset == sense.synset and other.share >= SYNONYM_SHARE
            seen = (sense.count and other.count) or (alone and len(wordnet.senses[synonym]) == 1)
            if same and seen and wordnet.uses[synonym] >= max(3, wordnet.uses[lemma] // 20):
                chosen.append(synonym)
        if chosen:
            found.append(Entry(lemma, sense.pos, tuple(chosen)))
    return found


def compounds(wordnet: WordNet, denied: set[str]) -> list[Entry]:
    """Tier 3: compound nouns with one sense, replaced as a whole (`filing cabinet`)."""
    found = []
    for lemma in wordnet.lemmas():
        senses = wordnet.senses[lemma]
        if " " not in lemma or len(senses) > 1 or senses[0].pos != "n" or lemma in denied:
            continue
        synset = senses[0].synset
        if wordnet.files[synset] not in THINGS:
            continue
        chosen = tuple(
            m
            for m in wordnet.members[synset]
            if m != lemma
            and m.islower()
            and m.replace(" ", "").isalpha()
            and not m.startswith("true ")
            and len(wordnet.senses[m]) == 1
            and all(wordnet.uses[word] >= FAMILIAR for word in m.split())
        )
        if chosen:
            found.append(Entry(lemma, "n", chosen))
    return found


def inflect(entries: list[Entry], wordnet: WordNet, trusted: set[str]) -> dict[str, Any]:
    """Form -> tag -> synonyms in that form; reviewed lemmas need not dominate their form."""
    table: dict[str, dict[str, list[str]]] = defaultdict(dict)
    for entry in entries:
        irregular = wordnet.irregular[entry.pos]
        others = [forms(s, entry.pos, irregular) for s in entry.synonyms]
        for tag, form in forms(entry.lemma, entry.pos, irregular).items():
            if entry.only and tag != entry.only:
                continue
            fitting = [o[tag] for o in others if tag in o and o[tag] != form]
            # Even a reviewed verb's forms may be nouns: "crossbow bolts", "the ground".
            known_sense = entry.lemma in trusted and tag not in {"vz", "vd"}
            sure = known_sense or wordnet.share_of(form, entry.lemma, entry.pos) >= FORM_SHARE
            if fitting and sure:
                known = table[form].setdefault(tag, [])
                known.extend(f for f in fitting if f not in known)
    return table


def build(folder: Path) -> bytes:
    """The table's bytes: the same for the same input, whenever and wherever it is built."""
    wordnet = read_wordnet(folder)
    review = read_review(FOLDER / "review.txt")
    check_review(review, wordnet)
    chosen = {(e.lemma, e.pos) for e in review.entries}
    single = [e for e in mutual(wordnet, review.denied) if (e.lemma, e.pos) not in chosen]
    double = [e for e in compounds(wordnet, review.compounds) if (e.lemma, e.pos) not in chosen]
    table = inflect(review.entries + single + double, wordnet, {e.lemma for e in review.entries})
    parts = {form for form in table if " " not in form}
    kept = [m for m in wordnet.compound_nouns() if parts & set(m.split()) and m not in table]
    content = {"synonyms": table, "compounds": sorted(kept)}
    by_hand = sum(entry.by_hand for entry in review.entries)
    print(f"{len(review.entries)} reviewed, {by_hand} of them by hand")
    print(f"{len(single)} mutual, {len(double)} compounds")
    print(f"{len(table)} forms, {len(kept)} compounds kept together")
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return gzip.compress(text.encode(), compresslevel=9, mtime=0)


def main() -> None:
    """Write the table, or compare it with the one that is there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wordnet", type=Path, required=True, help="folder with data.noun etc.")
    parser.add_argument("--check", action="store_true", help="compare only")
    args = parser.parse_args()
    content, path = build(args.wordnet), FOLDER / "synonyms.json.gz"
    if args.check:
        same = gzip.decompress(path.read_bytes()) == gzip.decompress(content)
        raise SystemExit(0 if same else f"{path} differs from what WordNet and the review give")
    path.write_bytes(content)
    print(f"{path}: {len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    main()
