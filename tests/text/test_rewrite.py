"""Rewriting by rule: what must hold for every text, and cases that once read wrong."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.rng import generator
from bench.text.measure import jaccard_distance, plain, words_changed
from bench.text.phrases import rules
from bench.text.rewrite import fix_articles, rewrite


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("an big rock", "a big rock"),
        ("a enormous rock", "an enormous rock"),
        ("A iron rod", "An iron rod"),
        ("a hour", "an hour"),
        ("an useful unit", "a useful unit"),
        ("a unusual, an unidentified", "an unusual, an unidentified"),
        ('a NATO round, an MRE, an 8" saw', 'a NATO round, an MRE, an 8" saw'),
    ],
)
def test_articles(text, expected):
    assert fix_articles(text) == expected


def many(text, n=40):
    return {rewrite(text, generator(seed))[0] for seed in range(n)}


def test_article_follows_the_synonym():
    found = many("It is near a huge tree.")
    assert any("an enormous tree" in text or "an immense tree" in text for text in found)
    assert not any("a enormous" in text or "a immense" in text for text in found)


def test_capital_and_stop_are_kept():
    for text in many("Large rocks. Huge trees!"):
        assert text[0].isupper()
        assert text.endswith("!")


def test_a_word_is_rewritten_alike_throughout():
    for text in many("bush: By the bush, no other bush."):
        assert text.lower().count("bush") in {0, 3}


@pytest.mark.parametrize(
    "text",
    [
        "They used to be rich.",
        "It used to hold water.",
        "Hobbyists used to mix it.",
    ],
)
def test_past_habits_are_not_purposes(text):
    assert all("used to" in new for new in many(text))


def test_purpose_is_rewritten():
    assert many("bucket: A bucket used to store water.") & {
        f"{name}: {opening} a {name} {use} to {keep} water."
        for name in ("bucket", "pail")
        for opening in ("This is", "It is", "Here is", "Here we have")
        for use in ("employed", "utilized")
        for keep in ("store", "keep", "stow")
    }


def test_contractions():
    assert many("It's not there, and you can't go.") == {"It is not there, and you cannot go."}


def test_rate_zero_changes_nothing():
    text = "A  large rock. It's huge."
    assert rewrite(text, generator(0), 0.0) == (text, False)


def test_nothing_to_replace_is_framed():
    text, framed = rewrite("xyzzy", generator(0))
    assert framed
    assert text.endswith("xyzzy")
    assert plain(text) != "xyzzy"


@pytest.mark.parametrize("rate", [0.1, 0.5, 1.0])
def test_above_zero_every_text_changes(rate):
    text = "ski mask: A warm wool mask that protects the head and face from cold."
    for seed in range(20):
        assert plain(rewrite(text, generator(seed), rate)[0]) != plain(text)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80))
def test_any_text_gives_a_text(text):
    new, _ = rewrite(text, generator("any"))
    if text.strip():
        assert new.strip()
        assert plain(new) != plain(text)
        assert new == " ".join(new.split())
    else:
        assert new == text


def test_same_generator_same_text():
    text = "large metal support: A heavy-duty metal support beam used to hold big walls."
    assert rewrite(text, generator(7)) == rewrite(text, generator(7))
    assert len(many(text)) > 3


def test_rules_change_what_they_match():
    """An alternative with a wrong group number would raise here."""
    for pattern, alternatives in rules():
        assert alternatives
        for alternative in alternatives:
            pattern.sub(alternative, "nothing here")


def test_measures():
    assert words_changed("a big dog", "a big dog") == 0.0
    assert words_changed("a big dog", "A large dog.") == pytest.approx(1 / 3)
    assert words_changed("dog", "here is a dog") == pytest.approx(3 / 4)
    assert words_changed("", "") == 0.0
    assert jaccard_distance("a big dog", "a large dog") == pytest.approx(0.5)
