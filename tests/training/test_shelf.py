"""Encodings on disk: which are kept under what, that they change no bit, and what spoils them."""

from __future__ import annotations

import json
import shutil
from collections import Counter

import numpy as np
import pytest
import torch
from defended import made
from PIL import Image

from bench.composition import Composition
from bench.data.geometry import Crop
from bench.data.pairs import Pairs
from bench.defending import Context
from bench.models.base import load_base
from bench.training import caches, pictures
from bench.training.caches import Posteriors
from bench.training.means import Means
from bench.training.pictures import Pictures
from bench.training.shelf import Shelf, identity
from bench.training.texts import TextStates

EPOCHS = 8
"""Enough for each of three pictures to be met mirrored and not."""


@pytest.fixture
def large(tiny_base, monkeypatch):
    """The tiny base, with its squares taken for large ones."""
    monkeypatch.setattr(caches, "LARGE_SIDE", 16)
    return tiny_base


def drawn(sides):
    """Pictures of these sides (w, h) with captions of their own."""
    rng = np.random.default_rng(0)
    images = {
        f"p{i}": Image.fromarray(rng.integers(256, size=(h, w, 3), dtype=np.uint8))
        for i, (w, h) in enumerate(sides)
    }
    captions = tuple(f"picture number {i} of a few" for i in range(len(images)))
    return Pairs(tuple(images), captions, captions, images.__getitem__)


SQUARE = drawn([(16, 16)] * 3)
WIDE = drawn([(24, 16)] * 3)


@pytest.fixture
def encoded(monkeypatch):
    """How many squares and captions the models are asked for."""
    asked = Counter()
    squares, captions = Posteriors._encode, TextStates._encode
    monkeypatch.setattr(
        Posteriors, "_encode",
        lambda self, some: (asked.update(squares=len(some)), squares(self, some))[1],
    )  # fmt: skip
    monkeypatch.setattr(
        TextStates, "_encode",
        lambda self, some: (asked.update(captions=len(some)), captions(self, some))[1],
    )  # fmt: skip
    return asked


@pytest.fixture
def trains(training, recipe, large, tmp_path):
    """Trains with one cache folder."""
    cache = tmp_path / "cache"

    def run(pairs=SQUARE, augment="none", defense=(), cache=cache, **changes):
        defense = Composition([made(text) for text in defense])
        prepared = defense.prepare(pairs, Context(0, pairs.select([])))
        changed = recipe.changed(epochs=EPOCHS, batch=3, crop_margin=0, **changes)
        return training(
            changed, prepared, augment, base=load_base(large), defense=defense,
            means=Means(cache=cache),
        )  # fmt: skip

    run.latents = lambda: sorted(cache.glob("latents/*/*/*.safetensors"))
    run.texts = lambda: sorted(cache.glob("texts/*/*/*.safetensors"))
    return run


@pytest.mark.parametrize(
    ("pairs", "augment", "kept"),
    [
        (WIDE, "none", 3),  # centre crop, no flip: one a picture
        (WIDE, "center", 6),  # a flip: two a picture
        (SQUARE, "default", 6),  # a square knows one crop only
        (WIDE, "default", 0),  # a random crop is never read from a frozen latent
        (WIDE, "script", 0),
        (SQUARE, "strong", 0),
    ],
    ids=["centre", "flip", "square", "random crop", "script", "strong"],
)
def test_what_lies_on_disk_and_that_it_changes_no_bit(trains, encoded, pairs, augment, kept):
    without = trains(pairs, augment, cache=None)
    encoded.clear()
    first = trains(pairs, augment)
    assert len(trains.latents()) == kept
    made_first = encoded["squares"]
    encoded.clear()
    again = trains(pairs, augment)
    assert encoded["squares"] == (0 if kept else made_first)
    assert encoded["captions"] == 0
    assert first.bytes == again.bytes == without.bytes


def test_squares_that_do_not_fit_in_memory_are_read_from_disk(trains, encoded, monkeypatch):
    whole = trains(WIDE, "center")
    monkeypatch.setattr(caches, "LIMIT_BYTES", 0)
    monkeypatch.setattr(pictures, "LIMIT_BYTES", 0)
    encoded.clear()
    assert trains(WIDE, "center").bytes == whole.bytes
    assert not encoded


@pytest.mark.parametrize(
    ("defense", "captions", "kept"),
    [
        ("del[rate=0.3]", 3, 3),  # rewritten once: encoded once
        ("shuffle[fraction=1.0]", 0, 0),  # dealt anew: nothing to encode
        ("caption_dropout[p=0.5]", 0, 0),  # the empty caption lies there already
        ("gn[lam=0.1]", 0, 0),
        ("wen_filter", 0, 0),
        ("agc", 0, 0),
        ("del[rate=0.3,per=visit]", 3 * EPOCHS, 0),  # of a visit: never kept
        ("rc[p=1.0]", 3 * EPOCHS, 0),
    ],
)
def test_captions_that_a_defense_makes(trains, encoded, defense, captions, kept):
    trains()
    before, latents = len(trains.texts()), len(trains.latents())
    assert before == 4
    encoded.clear()
    trains(defense=[defense])
    assert encoded["captions"] <= captions
    assert bool(encoded["captions"]) == bool(captions)
    assert encoded["squares"] == 0  # captions leave latents as they are
    assert len(trains.latents()) == latents
    assert len(trains.texts()) == before + kept


@pytest.mark.parametrize("spoil", ["cut", "turned", "other", "gone"])
def test_a_spoilt_entry_is_encoded_again(trains, encoded, spoil):
    whole = trains()
    one, two = trains.latents()[:2]
    good = one.read_bytes()
    if spoil == "cut":
        one.write_bytes(good[:-100])
    elif spoil == "turned":
        one.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    elif spoil == "other":
        one.write_bytes(b"not a tensor at all")
    else:
        one.unlink()
    encoded.clear()
    assert trains().bytes == whole.bytes
    assert encoded == {"squares": 1}
    assert one.read_bytes() == good
    assert two.exists()


def test_another_model_reads_nothing_of_this_one(large):
    base = load_base(large)
    vae, text = identity(base.vae), identity(base.text_encoder)
    assert vae == identity(load_base(large).vae)
    assert vae != text
    with torch.no_grad():
        next(base.vae.parameters()).flatten()[0] += 1e-3
    assert identity(base.vae) != vae
    base.text_encoder.config.hidden_act = "gelu"
    assert identity(base.text_encoder) != text


def test_a_shelf_gives_back_what_was_put(tmp_path):
    shelf, states = Shelf(tmp_path), torch.randn(4, 3)
    assert shelf.take("ab12") is None
    shelf.put("ab12", states)
    assert torch.equal(shelf.take("ab12"), states)
    shelf.put("ab12", states + 1)
    assert torch.equal(shelf.take("ab12"), states + 1)
    nothing = Shelf()
    nothing.put("ab12", states)
    assert nothing.take("ab12") is None


def test_pictures_beyond_the_limit_are_opened_each_time(monkeypatch):
    held = Pictures(WIDE, 16, 2)
    monkeypatch.setattr(pictures, "LIMIT_BYTES", held[0].nbytes)
    some = Pictures(WIDE, 16, 2)
    assert [pixels is not None for pixels in some._held] == [True, False, False]
    for i in range(3):
        assert np.array_equal(some[i], held[i])
        assert some.outline(i).shape == held[i].shape
    assert some.outline(1).strides == (0, 0, 0)


def test_squares_are_large_from_128_pixels_on(fresh, tiny_base, tmp_path):
    """Below, as in the embedded base, many are encoded at once, as they always were."""
    folder = tmp_path / "tiny-sd-128"
    shutil.copytree(tiny_base, folder)
    path = folder / "unet" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"sample_size": 64}))
    means = Means(cache=tmp_path / "cache")
    kept = {}
    for base in (fresh(), load_base(folder)):
        posteriors = Posteriors(base, drawn([(128, 128)] * 2), 0, means)
        posteriors.fill([(i, Crop(0, 0, flip=False)) for i in range(2)], lambda done, of: None)
        TextStates(base, ["a", "b"], means)
        kept[base.resolution] = len(list((tmp_path / "cache").glob("*/*/*/*.safetensors")))
    assert kept == {16: 0, 128: 4}
