"""WordNet's files as lookups: senses with tag counts, members of synsets, irregular forms."""

import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

POS = {"noun": "n", "verb": "v", "adj": "a", "adv": "r"}
KEY = {"1": "n", "2": "v", "3": "a", "4": "r", "5": "a"}
"""Part of speech of a sense key's number; 5 is an adjective satellite."""
SMOOTH = 0.5
"""Added to each tag count, so that an untagged sense weighs something."""
ENDINGS = {
    "n": (("s", ""), ("es", ""), ("ies", "y"), ("ves", "f"), ("ves", "fe"), ("men", "man")),
    "v": (("s", ""), ("es", ""), ("ies", "y"), ("ed", ""), ("ed", "e"), ("ing", ""), ("ing", "e")),
    "a": (("er", ""), ("est", ""), ("er", "e"), ("est", "e")),
    "r": (),
}


class Sense(NamedTuple):
    """One sense of a lemma; `share` is its part of all tagged uses of the lemma."""

    pos: str
    synset: str
    count: int
    share: float


class WordNet:
    """What the builder asks of WordNet."""

    def __init__(self) -> None:
        self.members: dict[str, list[str]] = {}
        self.files: dict[str, str] = {}
        self.uses: Counter[str] = Counter()
        self.senses: dict[str, list[Sense]] = defaultdict(list)
        self.irregular: dict[str, dict[str, tuple[str, ...]]] = {}
        self.stems: dict[str, dict[str, list[str]]] = {}

    def lemmas(self) -> list[str]:
        """All lemmas in alphabetical order."""
        return sorted(self.senses)

    def dominant(self, lemma: str) -> Sense:
        """The sense with most tagged uses; the first listed of equals."""
        return max(self.senses[lemma], key=lambda sense: sense.count)

    def share_synset(self, one: str, other: str, pos: str) -> bool:
        """Whether any synset of this part of speech has both."""
        return any(
            other in self.members[s.synset] for s in self.senses.get(one, ()) if s.pos == pos
        )

    def share_of(self, form: str, lemma: str, pos: str) -> float:
        """How much of the form's tagged use, over all lemmas it may stand for, is this one's."""
        weights = {
            (stem, p): sum(s.count + SMOOTH for s in self.senses[stem] if s.pos == p)
            for stem, p in self.analyses(form)
        }
        total = sum(weights.values())
        return weights.get((lemma, pos), 0.0) / total if total else 1.0

    def analyses(self, form: str) -> set[tuple[str, str]]:
        """(lemma, part of speech) that the form may stand for."""
        found = set()
        for pos, endings in ENDINGS.items():
            stems = [form, *self.stems[pos].get(form, ())]
            stems += [form[: -len(end)] + new for end, new in endings if form.endswith(end)]
            found |= {(s, pos) for s in stems if any(x.pos == pos for x in self.senses.get(s, ()))}
        return found

    def compound_nouns(self) -> list[str]:
        """Lower-case compounds of two or three plain words, nouns only."""
        return [
            lemma
            for lemma in self.lemmas()
            if re.fullmatch(r"[a-z]{2,}( [a-z]{2,}){1,2}", lemma)
            and any(sense.pos == "n" for sense in self.senses[lemma])
        ]


def read_wordnet(folder: Path) -> WordNet:
    """Read `data.*`, `index.*`, `*.exc` and `cntlist.rev` of a WordNet 3.0 folder."""
    wordnet = WordNet()
    counts = _tag_counts(folder)
    for name, pos in POS.items():
        _read_data(wordnet, folder / f"data.{name}", pos)
        _read_exceptions(wordnet, folder / f"{name}.exc", pos)
    for name, pos in POS.items():
        for line in _lines(folder / f"index.{name}"):
            fields = line.split()
            offsets = fields[-int(fields[2]) :]
            lemma = fields[0].replace("_", " ")
            for number, offset in enumerate(offsets, 1):
                count = counts.get((fields[0], pos, number), 0)
                wordnet.senses[lemma].append(Sense(pos, pos + offset, count, 0.0))
    for lemma, senses in wordnet.senses.items():
        total = sum(sense.count + SMOOTH for sense in senses)
        wordnet.senses[lemma] = [s._replace(share=(s.count + SMOOTH) / total) for s in senses]
    return wordnet


def _lines(path: Path) -> list[str]:
    """Without the licence at the head, whose lines begin with a blank."""
    return [x for x in path.read_text(encoding="latin-1").splitlines() if not x.startswith(" ")]


def _tag_counts(folder: Path) -> dict[tuple[str, str, int], int]:
    counts = {}
    for line in _lines(folder / "cntlist.rev"):
        key, number, count = line.split()
        lemma, _, rest = key.partition("%")
        counts[lemma, KEY[rest[0]], int(number)] = int(count)
    return counts


def _read_data(wordnet: WordNet, path: Path, pos: str) -> None:
    for line in _lines(path):
        head, _, gloss = line.partition(" | ")
        fields = head.split()
        words = [fields[4 + 2 * i] for i in range(int(fields[3], 16))]
        synset = pos + fields[0]
        wordnet.members[synset] = [re.sub(r"\(.*\)", "", w).replace("_", " ") for w in words]
        wordnet.files[synset] = fields[1] if pos == "n" else ""
        wordnet.uses.update(re.findall(r"[a-z]+(?:-[a-z]+)*", gloss.lower()))


def _read_exceptions(wordnet: WordNet, path: Path, pos: str) -> None:
    stems: dict[str, list[str]] = {}
    irregular: dict[str, tuple[str, ...]] = {}
    for line in _lines(path):
        form, *lemmas = line.replace("_", " ").split()
        stems[form] = lemmas
        for lemma in lemmas:
            irregular[lemma] = (*irregular.get(lemma, ()), form)
    wordnet.stems[pos], wordnet.irregular[pos] = stems, irregular
