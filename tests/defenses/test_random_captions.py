"""The defenses `rc`, `rt`, `cwr` and `caption_dropout`: how often, and what is read instead."""

from __future__ import annotations

import re
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from defended import captioned, made

from bench.api import Context
from bench.composition import Composition
from bench.errors import UsageError
from bench.models.base import load_base
from bench.training.session import Session

NAMES = ("rc", "rt", "cwr", "caption_dropout")
CAPTION = "one two three four"


def begun(text):
    """A defense at work, on a vocabulary of ten tokens that read as their ids."""
    training = SimpleNamespace(
        notes={},
        vocabulary=range(100, 110),
        decode=lambda tokens: "".join(f"t{token} " for token in tokens),
    )
    defense = made(text)
    defense.begin(training)
    return defense, training.notes


def visited(text, times=2000, caption=CAPTION):
    defense, notes = begun(text)
    context = Context(0, captioned([]))
    rngs = (context.rng(defense.name, "visit", "p", visit) for visit in range(times))
    return [defense.caption("p", caption, rng) for rng in rngs], notes


@pytest.mark.parametrize("name", NAMES)
def test_a_tenth_of_the_visits_is_changed_by_default(name):
    read, notes = visited(name)
    changed = sum(caption != CAPTION for caption in read)
    assert changed / 2000 == pytest.approx(0.1, abs=0.027)  # four standard errors
    assert notes == {"visits": 2000, "visits_changed": changed, "changed": changed / 2000}


@pytest.mark.parametrize("name", NAMES)
def test_which_visits_are_changed_depends_on_pair_and_visit_alone(name):
    defense, _ = begun(f"{name}[p=0.5]")
    one, other = Composition([defense]), Composition([begun(f"{name}[p=0.5]")[0]])
    context = Context(0, captioned([]))
    asked = [(pair, visit) for pair in "abc" for visit in range(20)]
    read = {key: one.caption(key[0], CAPTION, key[1], context) for key in asked}
    again = {key: other.caption(key[0], CAPTION, key[1], context) for key in asked[::-1]}
    assert read == again
    assert 15 < sum(caption != CAPTION for caption in read.values()) < 45


def test_rc_reads_four_tokens_of_all():
    read, _ = visited("rc[p=1]")
    tokens = Counter(token for caption in read for token in caption.split())
    assert all(re.fullmatch(r"t\d+( t\d+){3}", caption) for caption in read)
    assert set(tokens) == {f"t{i}" for i in range(100, 110)}
    assert all(680 < count < 920 for count in tokens.values())  # 800 with a deviation of 27
    assert len(visited("rc[p=1,n=1]", 5)[0][0].split()) == 1


def test_rt_puts_two_tokens_at_any_place_between_the_words():
    read, _ = visited("rt[p=1]", 3000)
    patterns = Counter()
    for caption in read:
        words = caption.split()
        assert [word for word in words if not word.startswith("t1")] == CAPTION.split()
        patterns[tuple(i for i, word in enumerate(words) if word.startswith("t1"))] += 1
    assert all(len(places) == 2 for places in patterns)
    assert len(patterns) == 15  # two of six places
    assert all(130 < count < 270 for count in patterns.values())
    words = visited("rt[p=1,n=1]", 1)[0][0].split()
    assert len(words) == 5


def test_cwr_puts_two_of_the_captions_own_words_in_again():
    read, _ = visited("cwr[p=1]", 3000)
    again = Counter()
    for caption in read:
        words = caption.split()
        assert len(words) == 6
        extra = Counter(words) - Counter(CAPTION.split())
        again.update(extra)
        rest = iter(words)
        assert all(word in rest for word in CAPTION.split()), "the order is kept"
    assert set(again) == set(CAPTION.split())
    assert all(1300 < count < 1700 for count in again.values())
    assert any(max(Counter(caption.split()).values()) == 3 for caption in read)
    assert visited("cwr[p=1]", 1, caption="")[0] == [""]


def test_caption_dropout_reads_nothing():
    assert set(visited("caption_dropout[p=1]", 5)[0]) == {""}
    assert set(visited("caption_dropout[p=0.5]")[0]) == {"", CAPTION}


@pytest.mark.parametrize(
    "text",
    [*(f"{name}[p=1.5]" for name in NAMES), "rc[p=nan]", "rt[n=0]", "rc[n=-1]", "cwr[n=0]"],
)
def test_bad_parameters(text):
    name, parameter = re.split(r"[\[=]", text)[:2]
    with pytest.raises(UsageError, match=rf"defense {name}: {parameter}=\S+ must (lie|be)"):
        made(text)


def test_tokens_are_those_of_the_bases_tokenizer_without_special_ones(tiny_base):
    base = load_base(tiny_base)
    trainer = SimpleNamespace(base=base)
    session = Session(trainer, None, None, None, None, 0, None, None)
    special = set(base.tokenizer.all_special_ids)
    assert special
    assert len(session.vocabulary) == len(base.tokenizer) - len(special)
    assert not special & set(session.vocabulary)
    for token in session.vocabulary[::17]:
        assert session.decode([token]) == base.tokenizer.decode([token])
    words = base.tokenizer("a cat").input_ids[1:-1]
    assert session.decode(words).split() == ["a", "cat"]


@pytest.mark.parametrize("name", NAMES)
def test_strength_zero_trains_the_weights_of_none(trained, undefended, name):
    never = trained(f"{name}[p=0]")
    assert never.bytes == undefended.bytes
    assert never.notes[name] == {"visits": 20, "visits_changed": 0, "changed": 0.0}
    often = trained(f"{name}[p=0.5]")
    assert often.bytes != undefended.bytes
    assert 3 < often.notes[name]["visits_changed"] < 17


@pytest.mark.parametrize("name", NAMES)
def test_a_resumed_training_reads_and_counts_the_same(trained, name):
    whole = trained(f"{name}[p=0.5]")
    resumed = trained(f"{name}[p=0.5]", killed=14)
    assert resumed.bytes == whole.bytes
    assert resumed.notes == whole.notes


def test_dropout_comes_after_deletion_and_neither_changes_the_others_draws(trained, few):
    alone = trained("del[rate=0.5,per=visit]").read
    dropped = trained("caption_dropout[p=0.5]").read
    both = trained("caption_dropout[p=0.5]", "del1").read
    once = dict(zip(few.ids, made("del1").prepare(few, Context(3, few)).captions, strict=True))
    own = dict(zip(few.ids, few.captions, strict=True))
    assert both == Counter({(pair, text and once[pair]): n for (pair, text), n in dropped.items()})
    assert any(once[pair] != own[pair] for pair, text in both if text)
    mixed = trained("del[rate=0.5,per=visit]", "caption_dropout[p=0.5]")
    assert {key for key in mixed.read if key[1]} <= set(alone)
    assert Counter(pair for pair, text in mixed.read.elements() if not text) == Counter(
        pair for pair, text in dropped.elements() if not text
    )


@pytest.mark.parametrize("name", ["rc", "rt", "caption_dropout"])
def test_chance_words_are_not_replayed(name):
    pairs = captioned([CAPTION] * 5)
    assert made(f"{name}[p=1]").replay(pairs, Context(0, pairs), 3) == pairs


def test_repeated_words_are_replayed_as_a_visit_would_read_them():
    pairs = captioned([CAPTION] * 5)
    context = Context(0, pairs)
    replays = [made("cwr[p=1]").replay(pairs, context, number).captions for number in (0, 1, 0)]
    assert {len(caption.split()) for caption in replays[0]} == {6}
    assert replays[0] == replays[2] != replays[1]
    assert np.all([a != CAPTION for a in replays[1]])
