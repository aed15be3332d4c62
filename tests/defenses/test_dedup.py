"""The defense `dedup`: what is a near-duplicate, and what of a group is left."""

from __future__ import annotations

import io

import numpy as np
import pytest
from defended import made, prepared
from PIL import Image, ImageFilter

from bench.api import Context, Pairs
from bench.data import scenes, tiles
from bench.data.splits import clusters
from bench.errors import UsageError
from bench.plugins import load_module, shipped_folder
from bench.rng import generator

MODULE = load_module(shipped_folder("defense") / "dedup.py")


def smooth(seed, side=96):
    """A picture of few low frequencies, like a photograph."""
    coarse = generator("picture", seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)


def jpeg(picture):
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=90)
    return Image.open(stream).convert("RGB")


def pictured(pictures):
    """Pairs p0, p1, ... with these pictures."""
    ids = tuple(f"p{i}" for i in range(len(pictures)))
    return Pairs(ids, ids, ids, dict(zip(ids, pictures, strict=True)).__getitem__)


def bits(picture):
    return MODULE.perceptual_hash(picture)


def test_the_hash_is_the_sign_of_low_frequencies_about_their_median():
    picture = smooth(0, 32)
    grey = np.asarray(picture.convert("L"), dtype=float)
    k, x = np.mgrid[:8, :32]
    cosines = 2 * np.cos(np.pi * k * (2 * x + 1) / 64)
    low = cosines @ grey @ cosines.T
    assert np.array_equal(bits(picture), (low > np.median(low)).ravel())
    assert bits(picture).sum() == 32


def test_edited_pictures_keep_their_hash_and_others_have_another():
    for seed in range(5):
        picture = smooth(seed)
        for edited in (
            jpeg(picture),
            picture.resize((48, 48), Image.Resampling.BICUBIC),
            picture.point(lambda v: min(255, v + 8)),
            picture.filter(ImageFilter.GaussianBlur(1)),
        ):
            assert (bits(picture) != bits(edited)).sum() <= 4
        assert (bits(picture) != bits(smooth(seed + 1))).sum() > 10


def test_links_are_all_within_the_distance_whatever_the_block(monkeypatch):
    pairs = tiles.pairs().select(tiles.pairs().ids[:120])
    hashes = [bits(pair.image) for pair in pairs]
    wanted = {
        (i, j)
        for i in range(120)
        for j in range(i + 1, 120)
        if (hashes[i] != hashes[j]).sum() <= 12
    }
    assert len(wanted) > 5
    for block in (7, 512):
        monkeypatch.setattr(MODULE, "BLOCK", block)
        assert set(MODULE.alike(pairs, 12)) == wanted


def test_one_of_each_group_is_left_in_the_old_order():
    pictures = [smooth(0), smooth(1), jpeg(smooth(0)), smooth(2), smooth(0).resize((64, 64))]
    pairs = pictured(pictures)
    new, notes = prepared("dedup", pairs)
    assert len(new) == 3
    assert set(new.ids) >= {"p1", "p3"}
    assert new == pairs.select([id_ for id_ in pairs.ids if id_ in new.ids])
    assert notes == {"pairs": 5, "dropped": 2, "groups_with_duplicates": 1, "largest_group": 3}
    two, notes = prepared("dedup[keep=2]", pairs)
    assert len(two) == 4
    assert set(two.ids) > set(new.ids)
    assert notes["dropped"] == 1


def test_which_is_left_is_drawn_and_does_not_depend_on_places():
    pairs = pictured([smooth(0)] * 4 + [smooth(1)])
    left = [prepared("dedup", pairs, seed)[0].ids for seed in range(30)]
    assert {ids[0] for ids in left} == {"p0", "p1", "p2", "p3"}
    for seed in range(5):
        turned = prepared("dedup", pairs.select(pairs.ids[::-1]), seed)[0]
        assert set(turned.ids) == set(left[seed])


def test_pixels_separate_what_the_hash_cannot():
    red, blue = (Image.new("RGB", (32, 32), colour) for colour in ("#f00000", "#0000f0"))
    pairs = pictured([red, blue, Image.new("RGB", (64, 64), "#f10000")])
    assert len(prepared("dedup", pairs)[0]) == 1
    new, notes = prepared("dedup[preset=pixels]", pairs)
    assert len(new) == 2
    assert "p1" in new.ids
    assert notes["dropped"] == 1
    both, _ = prepared("dedup[rmse=0.02]", pairs)
    assert len(both) == 1


def test_pixels_are_the_measure_that_keeps_clusters_together():
    pairs = tiles.pairs().select(tiles.pairs().ids[:300])
    named = pairs.with_captions([f"caption {id_}" for id_ in pairs.ids])
    unlike = Pairs(named.ids, named.captions, named.captions, named.open_image)
    assert len(prepared("dedup[preset=pixels]", pairs)[0]) == len(clusters(unlike))


def test_it_drops_what_the_docstring_says_of_scenes():
    pairs = scenes.pairs().select(scenes.pairs().ids[:500])
    assert 0.15 < prepared("dedup", pairs)[1]["dropped"] / 500 < 0.35


def test_off_nothing_is_dropped_and_no_picture_opened():
    pairs = Pairs(("a", "b"), ("x", "y"), ("x", "y"), None)
    new, notes = prepared("dedup[phash=0]", pairs)
    assert new == pairs
    assert notes["dropped"] == 0
    empty = pairs.select([])
    assert prepared("dedup[rmse=0.1]", empty)[0] == empty


def test_an_attacker_s_replay_is_the_pairs_as_they_are():
    pairs = pictured([smooth(0)] * 2)
    assert made("dedup").replay(pairs, Context(0, pairs.select([])), 1) == pairs


def test_strength_zero_trains_the_weights_of_none(trained, undefended, few):
    assert trained("dedup[phash=0]").bytes == undefended.bytes
    doubled = Pairs(
        few.ids, few.captions, few.originals, lambda id_: few.image(few.ids[few.ids.index(id_) % 5])
    )
    run = trained("dedup[preset=pixels]", pairs=doubled)
    assert run.figures["pairs"] == 5
    assert run.notes["dedup"]["dropped"] == 5
    assert run.bytes == trained("dedup[preset=pixels]", pairs=doubled, killed=4).bytes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dedup[phash=-1]", "phash=-1 must lie between 0 and 63"),
        ("dedup[phash=64]", "phash=64 must lie between 0 and 63"),
        ("dedup[rmse=nan]", "rmse=nan must be at least 0"),
        ("dedup[keep=0]", "keep=0 must be at least 1"),
    ],
)
def test_bad_parameters(text, said):
    with pytest.raises(UsageError, match=f"defense dedup: {said}"):
        made(text)
