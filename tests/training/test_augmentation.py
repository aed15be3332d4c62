"""What may be encoded beforehand under which augmentation, and what a caption defense encodes."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from defended import made

from bench.composition import Composition
from bench.data.geometry import Crop
from bench.data.strong import Strong
from bench.defending import Context
from bench.training.caches import Posteriors
from bench.training.means import Means
from bench.training.visits import Schedule, Visits

CLOSE = {"rtol": 1e-5, "atol": 1e-5}
"""For encodings made in batches of other sizes; seen: 2e-7."""


@pytest.fixture
def encoded(monkeypatch):
    """Every square that the VAE reads, as often as it does."""
    asked = Counter()
    encode = Posteriors._encode

    def counted(self, visits):
        asked.update(visits)
        return encode(self, visits)

    monkeypatch.setattr(Posteriors, "_encode", counted)
    return asked


def filled(base, pairs, recipe, augment, seed=0):
    stream, schedule = Visits(base, pairs, recipe, augment, seed), Schedule(recipe, 10, seed)
    stream.posteriors.fill(stream.squares(schedule), lambda done, of: None)
    return stream, schedule


def visited(stream, schedule):
    """Every pair at every visit, with the square it was drawn."""
    for number in range(schedule.total):
        chosen, visit = schedule.chosen(number), schedule.visit(number)
        squares = [stream._square(i, stream._rng(i, visit)) for i in chosen]
        yield chosen, visit, squares


@pytest.mark.parametrize(("augment", "latents"), [("none", 1), ("center", 2)])
def test_a_flip_needs_two_latents_a_picture(fresh, pairs, recipe, encoded, augment, latents):
    stream, schedule = filled(fresh(), pairs, recipe.changed(epochs=12), augment)
    assert len(encoded) == len(stream.posteriors._known) == 10 * latents
    assert set(encoded.values()) == {1}
    assert {crop[:2] for _, crop in encoded} == {(2, 2)}
    for chosen, visit, _ in visited(stream, schedule):
        stream.batch(chosen, visit)
    assert encoded.total() == 10 * latents  # nothing is encoded again


def test_the_two_latents_of_a_flip_are_each_encoded(fresh, pairs, recipe):
    stream, _ = filled(fresh(), pairs, recipe.changed(epochs=12), "center")
    plain, mirrored = (stream.posteriors._known[0, Crop(2, 2, flip=flip)] for flip in (False, True))
    assert (plain.flip(2) - mirrored).abs().max() > 0.1


@pytest.mark.parametrize("augment", ["default", "script"])
def test_a_random_crop_is_read_from_its_own_latent(fresh, pairs, recipe, augment):
    stream, schedule = filled(fresh(), pairs, recipe.changed(epochs=6), augment)
    lazy = Posteriors(fresh(), pairs, recipe.crop_margin)
    crops = set()
    for _, _, squares in visited(stream, schedule):
        for ours, theirs in zip(stream.posteriors.of(squares), lazy.of(squares), strict=True):
            torch.testing.assert_close(ours, theirs, **CLOSE)
        crops.update(crop for _, crop in squares)
    assert len({crop[:2] for crop in crops}) > 10
    assert {crop.flip for crop in crops} == ({False, True} if augment == "default" else {False})
    assert set(stream.posteriors._known) == {
        square for _, _, squares in visited(stream, schedule) for square in squares
    }


def test_strong_is_never_cached_and_differs_at_every_visit(fresh, pairs, recipe, encoded):
    stream, schedule = filled(fresh(), pairs, recipe, "strong")
    assert not encoded
    assert not stream.posteriors._known
    seen = Counter()
    for chosen, visit, squares in visited(stream, schedule):
        before = encoded.total()
        stream.batch(chosen, visit)
        assert encoded.total() - before == len(chosen)
        assert all(isinstance(crop, Strong) for _, crop in squares)
        seen.update(squares)
    assert len(seen) == 30
    assert set(encoded) == set(seen)
    assert not stream.posteriors._known
    pixels = stream.posteriors.pixels[0]
    assert pixels.shape == (16, 16, 3)  # no edge is padded for a crop that needs none


def test_strong_training_is_deterministic_and_survives_a_kill(training, tmp_path):
    class Killed(BaseException):
        pass

    def kill(done, of, unit):
        if unit == "pictures" and done >= 14:
            raise Killed

    whole = training(augment="strong")
    always = Means(checkpoint_seconds=0)
    with pytest.raises(Killed):
        training(augment="strong", work=tmp_path / "work", progress=kill, means=always)
    assert training(augment="strong", work=tmp_path / "work").bytes == whole.bytes


def test_every_augmentation_trains_another_model(training):
    augments = ("default", "none", "center", "script", "strong")
    assert len({training(augment=a).bytes["unet.safetensors"] for a in augments}) == 5


@pytest.mark.parametrize("text", ["del3", "shuffle", "del[rate=0.3,per=visit]"])
@pytest.mark.parametrize("augment", ["default", "strong"])
def test_a_caption_defense_encodes_as_many_squares_as_none(training, pairs, encoded, text, augment):
    training(augment=augment)
    usual = Counter(encoded)
    encoded.clear()
    defense = Composition([made(text)])
    prepared = defense.prepare(pairs, Context(0, pairs.select([])))
    training(pairs=prepared, augment=augment, defense=defense)
    assert encoded == usual
    assert usual.total() > 0
