"""Read WordNet's English words and definitions (Debian package wordnet-base)."""

from pathlib import Path

STOP_WORDS = frozenset("a an and at by for from in of off on or the to up with without".split())


def noun_glosses(folder: Path) -> dict[str, str]:
    """Lower-case noun -> definition of its most frequent sense, examples removed."""
    by_offset: dict[str, str] = {}
    for line in (folder / "data.noun").read_text(encoding="latin-1").splitlines():
        if line.startswith(" "):
            continue
        head, _, gloss = line.partition(" | ")
        by_offset[head.split(" ", 1)[0]] = gloss.split(";")[0].strip().strip('"')
    glosses = {}
    for lemma, offsets in _index(folder, "noun"):
        glosses[lemma] = by_offset[offsets[0]]
    return glosses


def english_words(folder: Path) -> frozenset[str]:
    """Every lemma of WordNet and its parts, plus the small function words."""
    words = set(STOP_WORDS)
    for part in ("noun", "verb", "adj", "adv"):
        for lemma, _ in _index(folder, part):
            words.update(lemma.split())
    return frozenset(words)


def all_glosses(folder: Path) -> list[str]:
    """One line 'lemma: definition' for each synset: plain public English for the tokenizer."""
    lines = []
    for part in ("noun", "verb", "adj", "adv"):
        for line in (folder / f"data.{part}").read_text(encoding="latin-1").splitlines():
            if not line.startswith(" "):
                head, _, gloss = line.partition(" | ")
                lemma = head.split(" ")[4].replace("_", " ").split("(")[0]
                lines.append(f"{lemma}: {gloss.strip()}")
    return lines


def _index(folder: Path, part: str) -> list[tuple[str, list[str]]]:
    """Lemma and its synset offsets, most frequent sense first."""
    entries = []
    for line in (folder / f"index.{part}").read_text(encoding="latin-1").splitlines():
        if line.startswith(" "):
            continue
        fields = line.split()
        entries.append((fields[0].replace("_", " "), fields[-int(fields[2]) :]))
    return entries
