"""When a word is replaced, and when it is left alone."""

import gzip
import json

import pytest

from bench.text.synonyms import TABLE, Table, fits, replace, starts_sentence, table

WORDS = Table(
    {
        "large": {"a": ("big",)},
        "rock": {"n": ("stone",)},
        "rocks": {"ns": ("stones",)},
        "filing cabinet": {"n": ("file cabinet",)},
        "create": {"v": ("make",)},
        "nearly": {"r": ("almost",)},
    },
    frozenset({"rock garden"}),
)


def first(form, synonyms):
    return synonyms[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A large rock.", "A big stone."),
        ("a large, heavy thing", "a big, heavy thing"),
        ("Rocks, and more rocks!", "Stones, and more stones!"),
        ("A filing cabinet of steel", "A file cabinet of steel"),
        ("Two rock gardens", "Two rock gardens"),
        ("The rock wall", "The rock wall"),
        ("by the Large Rock", "by the Large Rock"),
        ("LARGE ROCK", "LARGE ROCK"),
        ("a rock-hard, over-large thing", "a rock-hard, over-large thing"),
        ("try to create it", "try to make it"),
        ("Not nearly there", "Not nearly there"),
        ("you rock", "you rock"),
        ("a (large) rock", "a (large) stone"),
    ],
)
def test_replace(text, expected):
    assert replace(text, first, WORDS) == expected


def test_choose_may_decline():
    assert replace("A large rock.", lambda form, synonyms: None, WORDS) == "A large rock."


def test_part_of_speech_by_neighbours():
    assert fits("v", "to", "it")
    assert not fits("v", "the", "of")
    assert fits("vz", "it", "the")
    assert not fits("vz", "crossbow", "are")
    assert not fits("n", "can", "")


def test_capital_of_a_sentence_or_of_a_name():
    assert starts_sentence("stone: Rock", 7)
    assert starts_sentence("Rock", 0)
    assert not starts_sentence("the Rock", 4)


def test_table_holds_words_with_other_words():
    words = table()
    assert len(words.synonyms) > 5000
    for form, tags in words.synonyms.items():
        assert form == form.lower()
        for synonyms in tags.values():
            assert synonyms
            assert form not in synonyms


def test_table_is_compact_and_carries_no_clock():
    content = TABLE.read_bytes()
    assert len(content) < 600_000
    assert content[4:8] == bytes(4), "the time stamp of gzip must be zero"
    text = gzip.decompress(content)
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":")).encode()


def test_licence_lies_beside_the_table():
    assert "WordNet 3.0 Copyright 2006" in (TABLE.parent / "LICENSE.txt").read_text()
