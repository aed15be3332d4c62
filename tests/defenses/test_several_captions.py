"""The defense `mc`: which captions a picture has, and how often each is read."""

from __future__ import annotations

import hashlib
import json
from collections import Counter

import pytest
from defended import captioned, made, prepared

from bench.api import Context
from bench.composition import Composition
from bench.data import tiles
from bench.errors import UsageError
from bench.text.measure import plain

SOME = tiles.pairs().select(tiles.pairs().ids[:80])


@pytest.fixture
def file(tmp_path):
    def write(*lines):
        path = tmp_path / "captions.jsonl"
        path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
        return path

    return write


def read_of(text, pairs, visits, seed=0):
    """What so many visits of every pair read, by id."""
    defense = Composition([made(text)])
    context = Context(seed, pairs.select([]))
    ready = defense.prepare(pairs, context)
    assert ready.captions == pairs.captions
    return {
        id_: Counter(defense.caption(id_, caption, visit, context) for visit in range(visits))
        for id_, caption in zip(ready.ids, ready.captions, strict=True)
    }, defense.notes[defense.parts[0].title]


def test_six_captions_of_which_each_is_read_as_often():
    few = SOME.select(SOME.ids[:5])
    read, notes = read_of("mc", few, 1200)
    for caption, counts in zip(few.captions, read.values(), strict=True):
        assert len(counts) == 6
        assert caption in counts
        assert all(135 < count < 265 for count in counts.values())  # 200, five deviations
    assert notes["label"] == "mc-rule"
    assert notes["backend"] == "rule"
    assert notes["captions"] == 5
    assert notes["others"] == notes["fewest"] == 5


def test_rewrites_differ_from_the_original_and_each_other():
    _, notes = prepared("mc", SOME)
    assert notes["others"] > 4.8
    defense = made("mc[k=3]")
    defense.prepare(SOME, Context(0, SOME))
    for id_, own in zip(SOME.ids, SOME.captions, strict=True):
        texts = [own, *defense._others[id_]]
        assert len({plain(text) for text in texts}) == len(texts) <= 4


def test_rewrites_depend_on_id_and_seed_alone():
    whole = read_of("mc", SOME, 30)[0]
    part = read_of("mc", SOME.select(SOME.ids[40:10:-1]), 30)[0]
    assert part == {id_: whole[id_] for id_ in part}
    assert read_of("mc", SOME, 30, seed=1)[0] != whole


def test_an_empty_caption_stays_alone():
    read, notes = read_of("mc", captioned(["", "a big dog"]), 50)
    assert set(read["p0"]) == {""}
    assert len(read["p1"]) > 1
    assert notes["fewest"] == 0


def test_a_file_of_several_texts_an_id(file):
    pairs = captioned(["a dog", "a cat"])
    path = file(
        {"id": "p0", "text": "one  hound", "orig_sha256": hashlib.sha256(b"a dog").hexdigest()},
        {"id": "p1", "text": "one feline"},
        {"id": "p0", "text": "a canine"},
        {"id": "p0", "text": "left over"},
        {"id": "other", "text": "of no concern"},
    )
    read, notes = read_of(f"mc[backend=file,path={path},k=2]", pairs, 200)
    assert set(read["p0"]) == {"a dog", "one hound", "a canine"}
    assert set(read["p1"]) == {"a cat", "one feline"}
    assert made(f"mc[backend=file,path={path}]").title == "mc"
    assert notes["others"] == 1.5
    assert notes["fewest"] == 1
    assert notes["rewrites_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_for_other_captions_is_refused(file):
    pairs = captioned(["a dog", "a cat"])
    path = file({"id": "p0", "text": "x"})
    with pytest.raises(UsageError, match="no rewrite for 1 of 2 captions, e.g. id 'p1'"):
        prepared(f"mc[backend=file,path={path}]", pairs)
    path = file({"id": "p0", "text": "x"}, {"id": "p0", "text": "y", "orig_sha256": "00"})
    with pytest.raises(UsageError, match="line 2: orig_sha256 is not"):
        prepared(f"mc[backend=file,path={path}]", pairs.select(["p0"]))


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ("k=-1", "defense mc: k=-1 must be at least 0"),
        ("backend=llm,path=/x", "defense mc: no backend 'llm'; known: rule, file"),
        ("backend=file", "defense mc: backend=file needs path="),
        ("path=x", "defense mc: path belongs to backend=file"),
        ("backend=file,path=/absent", "defense mc: no file of rewrites"),
    ],
)
def test_bad_parameters(params, said):
    with pytest.raises(UsageError, match=said):
        made(f"mc[{params}]")


def test_replayed_it_gives_one_of_its_captions():
    context = Context(2, SOME.select([]))
    defense = made("mc")
    replays = [defense.replay(SOME, context, number).captions for number in range(4)]
    assert len(set(replays)) == 4
    originals = [sum(map(str.__eq__, replay, SOME.captions)) for replay in replays]
    assert 20 < sum(originals) < 90  # 53 expected of 320


def test_strength_zero_trains_the_weights_of_none(trained, undefended):
    assert trained("mc[k=0]").bytes == undefended.bytes
    assert trained("mc").bytes != undefended.bytes


def test_a_resumed_training_reads_the_same(trained):
    whole, resumed = trained("mc"), trained("mc", killed=14)
    assert resumed.bytes == whole.bytes
    assert resumed.notes == whole.notes


def test_what_it_rewrites_is_what_defenses_of_the_data_left():
    pairs = captioned(["a big dog runs quickly past the small house"] * 20)
    defense = Composition([made("mc"), made("del[rate=0.5]"), made("shuffle_words")])
    context = Context(0, pairs)
    ready = defense.prepare(pairs, context)
    assert [part.name for part in defense.parts] == ["shuffle_words", "mc", "del"]
    assert all(len(caption.split()) == 5 for caption in ready.captions)
