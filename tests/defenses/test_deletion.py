"""The defenses `del1`, `del3` and `del`: how many words go, which, and when."""

from __future__ import annotations

import numpy as np
import pytest
from defended import captioned, made, prepared

from bench.api import Context
from bench.composition import Composition
from bench.data import tiles
from bench.errors import UsageError


def is_part_of(short, long):
    """Whether the words of `short` are words of `long` in the same order."""
    rest = iter(long.split())
    return all(word in rest for word in short.split())


def sentence(n):
    return " ".join(f"w{i}" for i in range(n))


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("del1", {0: 0, 1: 0, 2: 1, 4: 1, 9: 1, 10: 1, 14: 1, 16: 2, 26: 3}),
        ("del3", {0: 0, 1: 0, 2: 1, 3: 1, 4: 1, 6: 2, 9: 3, 10: 3, 13: 4}),
        ("del[rate=0.99]", {1: 0, 2: 1, 3: 2, 10: 9}),
    ],
)
def test_exactly_so_many_words_go(text, gone):
    pairs = captioned([sentence(n) for n in gone])
    new, notes = prepared(text, pairs)
    for old, caption, k in zip(pairs.captions, new.captions, gone.values(), strict=True):
        assert len(caption.split()) == len(old.split()) - k
        assert is_part_of(caption, old)
    assert notes["captions"] == len(gone)
    assert notes["captions_changed"] == sum(k > 0 for k in gone.values())
    assert notes["deleted"] == sum(gone.values())
    assert notes["words"] == sum(gone)
    assert notes["words_deleted"] == sum(gone.values()) / sum(gone)


def test_every_position_is_as_likely():
    pairs = captioned([sentence(10)] * 3000)
    kept = np.zeros(10)
    for caption in prepared("del3", pairs)[0].captions:
        kept[[int(word[1:]) for word in caption.split()]] += 1
    assert kept / 3000 == pytest.approx(0.7, abs=0.035)  # four standard errors


def test_ids_and_originals_are_kept_and_the_named_rows_are_the_general_one():
    pairs = tiles.pairs().select(tiles.pairs().ids[:200])
    one, three = prepared("del1", pairs)[0], prepared("del3", pairs)[0]
    assert one.ids == pairs.ids
    assert one.originals == pairs.originals
    assert one.captions == prepared("del[rate=0.1]", pairs)[0].captions
    assert three.captions == prepared("del[rate=0.3]", pairs)[0].captions
    # The same seed deletes more of the same words, so that rows differ by the rate alone.
    assert all(is_part_of(c, a) for a, c in zip(one.captions, three.captions, strict=True))


def test_a_pair_s_words_depend_on_its_id_and_the_seed_alone():
    pairs = tiles.pairs().select(tiles.pairs().ids[:200])
    whole = dict(zip(pairs.ids, prepared("del3", pairs)[0].captions, strict=True))
    part = prepared("del3", pairs.select(pairs.ids[150:50:-1]))[0]
    assert part.captions == tuple(whole[id_] for id_ in part.ids)
    assert prepared("del3", pairs, seed=1)[0].captions != tuple(whole.values())


def test_bernoulli_deletes_each_word_by_itself_and_never_all():
    many = captioned([sentence(20)] * 1000)
    new, notes = prepared("del[rate=0.3,mode=bernoulli]", many)
    lengths = np.array([len(caption.split()) for caption in new.captions])
    assert notes["words_deleted"] == pytest.approx(0.3, abs=0.014)
    assert lengths.std() == pytest.approx(np.sqrt(20 * 0.3 * 0.7), rel=0.1)
    assert all(is_part_of(caption, sentence(20)) for caption in new.captions)
    short = captioned(["a b"] * 200 + ["a", ""])
    texts = prepared("del[rate=0.9,mode=bernoulli]", short)[0].captions
    assert set(texts[:200]) == {"a", "b", "a b"}
    assert texts[200:] == ("a", "")


@pytest.mark.parametrize("mode", ["exact", "bernoulli"])
def test_rate_zero_leaves_even_the_blanks(mode):
    pairs = captioned(["two  blanks here ", " x ", ""])
    for per in ("once", "visit"):
        defense = made(f"del[rate=0,mode={mode},per={per}]")
        assert defense.prepare(pairs, Context(0, pairs)).captions == pairs.captions
        rng = np.random.default_rng(0)
        assert [defense.caption("p", c, rng) for c in pairs.captions] == list(pairs.captions)


@pytest.mark.parametrize("rate", [-0.1, 1.0, float("nan")])
def test_a_rate_that_cannot_be(rate):
    with pytest.raises(UsageError, match=r"defense del: rate=.* must lie between 0 and 0.99"):
        made(f"del[rate={rate}]")


def test_names_say_what_is_the_papers():
    assert made("del1").title == "del1"
    assert made("del[rate=0.2]").title == "del"
    assert made("del[per=visit]").title == "del-per-visit"
    with pytest.raises(UsageError, match="del1 and del3 cannot go together"):
        Composition([made("del1"), made("del3")])
    with pytest.raises(UsageError, match="del and del3 cannot go together"):
        Composition([made("del"), made("del3")])


def test_strength_zero_trains_the_weights_of_none(trained, undefended):
    assert trained("del[rate=0]").bytes == undefended.bytes
    visited = trained("del[rate=0,per=visit]")
    assert visited.bytes == undefended.bytes
    assert visited.notes["del-per-visit"]["words_deleted"] == 0
    assert trained("del1").bytes != undefended.bytes


def test_per_visit_deletes_afresh_and_notes_it(trained, few):
    done = trained("del[rate=0.5,per=visit]")
    notes = done.notes["del-per-visit"]
    assert notes["captions"] == 20
    assert notes["words"] == 2 * sum(len(caption.split()) for caption in few.captions)
    assert (
        notes["words_deleted"] == notes["deleted"] / notes["words"] == pytest.approx(0.5, abs=0.1)
    )
    assert sum(done.read.values()) == 20
    assert len(done.read) > 15, "two visits of a pair are to read different words"


def test_a_resumed_training_deletes_and_counts_the_same(trained):
    whole = trained("del[rate=0.5,per=visit]")
    resumed = trained("del[rate=0.5,per=visit]", killed=14)
    assert resumed.bytes == whole.bytes
    assert resumed.notes == whole.notes


def test_what_is_deleted_once_is_replayed_with_the_attackers_seed():
    pairs = tiles.pairs().select(tiles.pairs().ids[:50])
    replayed = made("del3").replay(pairs, Context(9, pairs.select([])), 0)
    assert replayed.captions == prepared("del3", pairs, seed=9)[0].captions


def test_what_is_deleted_at_every_visit_is_replayed_too():
    pairs = captioned([sentence(10)] * 5)
    new = made("del[rate=0.3,per=visit]").replay(pairs, Context(9, pairs.select([])), 1)
    assert all(len(caption.split()) == 7 for caption in new.captions)
    assert len(set(new.captions)) > 1
