"""Open Clip Art Library 0.18 (public domain): drawings whose SVG holds a title and keywords."""

import re
from collections.abc import Iterator
from pathlib import Path

from wordnet_glosses import STOP_WORDS

PUBLIC_DOMAIN = re.compile(r"cc:license\s+rdf:resource=\"[^\"]*[Pp]ublic[Dd]omain\"")
TITLE = re.compile(r"<cc:Work.*?<dc:title>(.*?)</dc:title>", re.DOTALL)
KEYWORD = re.compile(r"<rdf:li>\s*([^<]*?)\s*</rdf:li>", re.DOTALL)
SKIPPED_FOLDERS = re.compile(r"^(shapes/stars|geography/flags|.*\bflags\b|logos|buttons)")
JUNK_WORDS = """
hash clip art clipart svg inkscape public domain part collection icon icons theme themes image
vector library open untitled unsorted special misc various flat new html magick architetto
francesco rollandin remix contest mapsym aiga jean victor balin
"""
JUNK = frozenset(JUNK_WORDS.split())


def clipart_entries(root: Path, english: frozenset[str]) -> Iterator[tuple[Path, str, list[str]]]:
    """(SVG path, title, keywords) of public-domain drawings with an English title."""
    for svg in sorted(root.rglob("*.svg")):
        inner = svg.relative_to(root)
        if SKIPPED_FOLDERS.search(inner.as_posix()):
            continue
        text = svg.read_text(encoding="utf-8", errors="replace")
        if not PUBLIC_DOMAIN.search(text):
            continue
        title = _title(text, svg.stem, english)
        if title:
            yield svg, title, _keywords(text, inner, title, english)


def _title(text: str, stem: str, english: frozenset[str]) -> str:
    """The document's title, or else its file name; '' where neither is plain English."""
    found = TITLE.search(text)
    for candidate in (
        found.group(1) if found else "",
        re.sub(r"_[a-z]+(_[a-z]*)*_?\d*$", "", stem),
    ):
        phrase = _phrase(candidate, english)
        if phrase:
            return phrase
    return ""


def _keywords(text: str, inner: Path, title: str, english: frozenset[str]) -> list[str]:
    """Keywords of the document and of its folders, cleaned, without repeats."""
    found = [*KEYWORD.findall(text), *inner.parts[:-1]]
    phrases = (_phrase(word, english) for word in found)
    known = title.split()
    return [word for word in dict.fromkeys(phrases) if word and word not in known][:8]


def _phrase(raw: str, english: frozenset[str]) -> str:
    """Lower-case words, numbers dropped; '' if a word is not English or nothing is left."""
    if len(raw) > 60 or "&" in raw:
        return ""
    raw = re.sub(r"([a-z])([A-Z])", r"\1 \2", raw)
    words = [word for word in re.findall(r"[a-z]+", raw.lower()) if word not in JUNK]
    if not words or len(words) > 7 or not all(_is_english(word, english) for word in words):
        return ""
    content = [word for word in words if len(word) > 2 and word not in STOP_WORDS]
    return " ".join(words) if content else ""


def _is_english(word: str, english: frozenset[str]) -> bool:
    """A dictionary word, or a plain plural of one."""
    if word in STOP_WORDS:
        return True
    return len(word) > 1 and (word in english or (word.endswith("s") and word[:-1] in english))
