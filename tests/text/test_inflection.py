"""Forms of nouns and verbs, and the ones that are left out on purpose."""

import pytest

from bench.text.inflection import forms, gerund, past_participle, plural, third_person

NONE: dict[str, tuple[str, ...]] = {}


@pytest.mark.parametrize(
    ("noun", "expected"),
    [
        ("rock", "rocks"),
        ("box", "boxes"),
        ("torch", "torches"),
        ("dish", "dishes"),
        ("glass", "glasses"),
        ("country", "countries"),
        ("toy", "toys"),
        ("photo", "photos"),
    ],
)
def test_plural(noun, expected):
    assert plural(noun, NONE) == expected


def test_irregular_plural_wins():
    assert plural("knife", {"knife": ("knives",)}) == "knives"


@pytest.mark.parametrize(
    ("verb", "third", "ing", "past"),
    [
        ("use", "uses", "using", "used"),
        ("carry", "carries", "carrying", "carried"),
        ("catch", "catches", "catching", "catched"),
        ("display", "displays", "displaying", "displayed"),
        ("tie", "ties", "tying", "tied"),
        ("free", "frees", "freeing", "freed"),
        ("go", "goes", "going", "goed"),
    ],
)
def test_regular_verb(verb, third, ing, past):
    assert third_person(verb) == third
    assert gerund(verb, NONE) == ing
    assert past_participle(verb, NONE) == past


def test_irregular_verbs():
    known = {"hold": ("held",), "give": ("gave", "given"), "cut": ("cutting",), "run": ("ran",)}
    assert past_participle("hold", known) == "held"
    assert past_participle("give", known) is None, "gave or given cannot be told"
    assert past_participle("run", known) is None, "ran or run cannot be told"
    assert past_participle("cut", known) == "cut"
    assert gerund("cut", known) == "cutting"


def test_compounds_bend_in_the_right_word():
    assert forms("file cabinet", "n", NONE) == {"n": "file cabinet", "ns": "file cabinets"}
    assert forms("call for", "v", NONE)["vz"] == "calls for"
    assert forms("large", "a", NONE) == {"a": "large"}
