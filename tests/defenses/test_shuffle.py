"""The defenses `shuffle` and `shuffle_words`: who reads whose caption, who keeps theirs."""

from __future__ import annotations

from collections import Counter

import pytest
from defended import captioned, made, prepared

from bench.api import Context
from bench.data import tiles
from bench.errors import UsageError


def distinct(n):
    return captioned([f"caption {i}" for i in range(n)])


def moved(pairs, new):
    return sum(a != b for a, b in zip(pairs.captions, new.captions, strict=True))


@pytest.mark.parametrize(
    ("n", "fraction", "expected"),
    [
        (100, 0.5, 50),
        (101, 0.5, 50),
        (7, 0.5, 3),
        (4, 0.5, 2),
        (100, 0.29, 29),  # 0.29 * 100 is less than 29 in floating point
        (50, 1.0, 50),
        (50, 0.0, 0),
        (3, 0.5, 0),  # one chosen pair has nobody to exchange with
        (1, 1.0, 0),
        (0, 0.5, 0),
    ],
)
def test_exactly_the_fraction_moves_and_no_caption_is_lost(n, fraction, expected):
    pairs = distinct(n)
    new, notes = prepared(f"shuffle[fraction={fraction}]", pairs)
    assert moved(pairs, new) == expected
    assert Counter(new.captions) == Counter(pairs.captions)
    assert new.ids == pairs.ids
    assert new.originals == pairs.originals
    assert notes == {"captions": n, "moved": expected, "kept_equal": 0}


def test_the_default_is_the_papers_half():
    pairs = distinct(60)
    assert prepared("shuffle", pairs)[0].captions == (
        prepared("shuffle[fraction=0.5]", pairs)[0].captions
    )
    assert made("shuffle").title == "shuffle"


def test_whoever_is_chosen_is_chosen_uniformly():
    pairs = distinct(20)
    hits, givers = Counter(), Counter()
    for seed in range(400):
        new = prepared("shuffle", pairs, seed)[0]
        for i, (old, caption) in enumerate(zip(pairs.captions, new.captions, strict=True)):
            hits[i] += old != caption
            if i == 0 and old != caption:
                givers[caption] += 1
    assert all(150 < hits[i] < 250 for i in range(20))  # 200 with a deviation of 10
    assert len(givers) == 19
    assert max(givers.values()) < 30


def test_order_does_not_matter_and_the_seed_does():
    pairs = distinct(60)
    whole = dict(zip(pairs.ids, prepared("shuffle", pairs)[0].captions, strict=True))
    turned = prepared("shuffle", pairs.select(pairs.ids[::-1]))[0]
    assert dict(zip(turned.ids, turned.captions, strict=True)) == whole
    assert prepared("shuffle", pairs, seed=1)[0].captions != tuple(whole.values())


@pytest.mark.parametrize(
    ("captions", "kept"),
    [
        ("a a a a b b c d", 0),
        ("a a b b", 0),
        ("a a a b", 2),  # three readers of a and one other caption: two must keep it
        ("a a a a", 4),
    ],
)
def test_equal_captions_change_as_far_as_they_can(captions, kept):
    pairs = captioned(captions.split())
    for seed in range(20):
        new, notes = prepared("shuffle[fraction=1]", pairs, seed)
        assert Counter(new.captions) == Counter(pairs.captions)
        assert moved(pairs, new) == len(pairs) - kept
        assert notes["kept_equal"] == kept
        assert notes["moved"] == len(pairs)


def test_half_of_the_tiles_move():
    pairs = tiles.pairs().select(tiles.pairs().ids[:501])
    new, notes = prepared("shuffle", pairs)
    assert notes["moved"] == 250
    assert moved(pairs, new) == 250 - notes["kept_equal"] == 250


def test_replay_zero_is_the_originals_and_every_other_a_derangement():
    pairs = distinct(12)
    defense = made("shuffle")
    context = Context(4, pairs.select([]))
    assert defense.replay(pairs, context, 0) == pairs
    replays = [defense.replay(pairs, context, number) for number in (1, 2, 3)]
    for replay in replays:
        assert moved(pairs, replay) == 12
        assert Counter(replay.captions) == Counter(pairs.captions)
        assert replay.ids == pairs.ids
    assert len({replay.captions for replay in replays}) == 3
    assert replays[0].captions == defense.replay(pairs, context, 1).captions
    assert replays[0].captions != defense.replay(pairs, Context(5, pairs), 1).captions
    assert context.notes == {}
    assert defense.replay(distinct(1), context, 1).captions == ("caption 0",)
    assert len(defense.replay(distinct(0), context, 1)) == 0


def test_words_change_their_order_and_nothing_else():
    pairs = tiles.pairs().select(tiles.pairs().ids[:200])
    new, notes = prepared("shuffle_words", pairs)
    for old, caption in zip(pairs.captions, new.captions, strict=True):
        assert sorted(old.split()) == sorted(caption.split())
    assert notes["captions"] == 200
    assert notes["changed"] == moved(pairs, new) / 200 > 0.9
    assert new.originals == pairs.originals


def test_word_orders_are_uniform():
    new = prepared("shuffle_words", captioned(["a b c"] * 1200))[0]
    counts = Counter(new.captions)
    assert len(counts) == 6
    assert all(150 < count < 250 for count in counts.values())


def test_a_share_of_the_captions_is_permuted():
    pairs = captioned([" ".join(f"w{i}" for i in range(30))] * 1000)
    assert prepared("shuffle_words[p=0.25]", pairs)[1]["changed"] == pytest.approx(0.25, abs=0.055)
    blanks = captioned(["two  blanks "])
    assert prepared("shuffle_words[p=0]", blanks)[0].captions == blanks.captions


@pytest.mark.parametrize("text", ["shuffle[fraction=1.1]", "shuffle[fraction=nan]",
                                  "shuffle_words[p=-1]"])  # fmt: skip
def test_bad_parameters(text):
    with pytest.raises(UsageError, match=r"defense shuffle\w*: \w+=\S+ must lie between 0 and 1"):
        made(text)


def test_strength_zero_trains_the_weights_of_none(trained, undefended):
    assert trained("shuffle[fraction=0]").bytes == undefended.bytes
    assert trained("shuffle_words[p=0]").bytes == undefended.bytes
    assert trained("shuffle").bytes != undefended.bytes
