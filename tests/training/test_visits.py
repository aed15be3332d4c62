"""Draws belong to (seed, pair, visit); posteriors are sampled; a flip is encoded by itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bench.data.geometry import Crop, cut
from bench.training import caches
from bench.training.caches import Posteriors
from bench.training.texts import TextStates
from bench.training.visits import Schedule, Visits

PARTS = ("clean", "noise", "times", "text")
CLOSE = {"rtol": 1e-5, "atol": 1e-5}
"""For encodings made in batches of other sizes; seen: 2e-7."""


@pytest.fixture
def visits(fresh, recipe):
    """Makes the stream of visits over some pairs, filled or not."""

    def make(pairs, seed=0, augment="default", fill=False, **changes):
        stream = Visits(fresh(), pairs, recipe.model_copy(update=changes), augment, seed)
        stream.schedule = Schedule(recipe.model_copy(update=changes), len(pairs), seed)
        if fill:
            stream.posteriors.fill(stream.squares(stream.schedule), lambda done, of: None)
        return stream

    return make


def by_pair(stream, pairs, epoch, size):
    """What each pair met in an epoch, read in batches of this size."""
    n, found = len(pairs), {}
    for first in range(0, n, size):
        chosen = stream.schedule.order(epoch)[first : first + size]
        batch = stream.batch(chosen, epoch)
        assert batch.ids == tuple(pairs.ids[i] for i in chosen)
        assert len(batch.clean) == len(chosen)
        for row, i in enumerate(chosen):
            found[pairs.ids[i]] = {part: getattr(batch, part)[row] for part in PARTS}
    return found


def assert_same_draws(ours, theirs):
    for id_ in ours.keys() & theirs.keys():
        assert torch.equal(ours[id_]["noise"], theirs[id_]["noise"])
        assert torch.equal(ours[id_]["times"], theirs[id_]["times"])
        torch.testing.assert_close(ours[id_]["clean"], theirs[id_]["clean"], **CLOSE)
        torch.testing.assert_close(ours[id_]["text"], theirs[id_]["text"], **CLOSE)


def test_an_epoch_visits_every_pair_once_in_an_order_of_its_own(visits, pairs):
    stream = visits(pairs)
    orders = [stream.schedule.order(epoch) for epoch in range(3)]
    assert all(sorted(order) == list(range(10)) for order in orders)
    assert len({tuple(order) for order in orders}) == 3
    assert visits(pairs).schedule.order(1) == orders[1]
    assert visits(pairs, seed=1).schedule.order(1) != orders[1]


@pytest.mark.parametrize("size", [1, 3, 10])
def test_batch_size_leaves_draws_as_they_were(visits, pairs, size):
    stream = visits(pairs)
    assert_same_draws(by_pair(stream, pairs, 1, size), by_pair(stream, pairs, 1, 4))


def test_another_pair_leaves_draws_as_they_were(visits, pairs):
    fewer = pairs.select([id_ for id_ in pairs.ids[::-1] if id_ != pairs.ids[4]])
    ours, theirs = by_pair(visits(fewer), fewer, 2, 4), by_pair(visits(pairs), pairs, 2, 4)
    assert len(ours) == 9
    assert_same_draws(ours, theirs)


def test_another_caption_changes_the_text_alone(visits, pairs):
    changed = pairs.with_captions({pairs.ids[0]: "other words"})
    ours, theirs = by_pair(visits(changed), changed, 0, 4), by_pair(visits(pairs), pairs, 0, 4)
    for id_ in pairs.ids:
        for part in ("clean", "noise", "times"):
            assert torch.equal(ours[id_][part], theirs[id_][part])
        same = torch.allclose(ours[id_]["text"], theirs[id_]["text"], **CLOSE)
        assert same == (id_ != pairs.ids[0])


def test_every_visit_and_every_seed_draws_anew(visits, pairs):
    met = [by_pair(visits(pairs, seed), pairs, epoch, 4) for seed in (0, 1) for epoch in (0, 1)]
    noises = torch.stack([found[id_]["noise"].flatten() for found in met for id_ in pairs.ids])
    assert len(torch.unique(noises, dim=0)) == 40
    times = np.array([[int(found[id_]["times"]) for id_ in pairs.ids] for found in met])
    assert len(np.unique(times, axis=0)) == 4


def test_filling_the_cache_changes_no_draw(visits, pairs):
    assert_same_draws(
        by_pair(visits(pairs, fill=True), pairs, 1, 4), by_pair(visits(pairs), pairs, 1, 4)
    )


def test_the_cache_holds_exactly_the_squares_that_are_visited(visits, pairs):
    stream = visits(pairs, fill=True)
    planned = set(stream.squares(stream.schedule))
    asked = []
    read = stream.posteriors.of
    stream.posteriors.of = lambda squares: (asked.extend(squares), read(squares))[1]
    for epoch in range(3):
        by_pair(stream, pairs, epoch, 4)
    assert set(asked) == planned == set(stream.posteriors._known)
    assert len(asked) == 30


def test_times_are_uniform_over_the_whole_schedule(visits, pairs):
    stream = visits(pairs, epochs=300, augment="none")
    rngs = [stream._rng(i, epoch) for i in range(10) for epoch in range(300)]
    times = []
    for rng in rngs:
        stream._square(0, rng)
        times.append(int(rng.integers(1000)))
    drawn = stream.batch(stream.schedule.order(0), 0).times
    assert sorted(drawn.tolist()) == sorted(times[::300])
    counts = np.histogram(times, bins=10, range=(0, 1000))[0]
    assert abs(counts - 300).max() < 5 * 300**0.5
    assert max(times) > 990


def test_the_posterior_is_sampled_at_every_visit(visits, pairs):
    """Its standardised deviations over visits are N(0, 1), not 0."""
    stream = visits(pairs, augment="none", epochs=60)
    base = stream._base
    stream.posteriors.fill(stream.squares(stream.schedule), lambda done, of: None)
    square = (0, Crop(2, 2, flip=False))
    mean, logvar = stream.posteriors.of([square])
    met = torch.stack(
        [by_pair(stream, pairs, epoch, 10)[pairs.ids[0]]["clean"] for epoch in range(60)]
    )
    standard = (met / base.scaling_factor - mean) / (0.5 * logvar).exp()
    n = standard.numel()
    assert abs(standard.mean()) < 4 / n**0.5
    assert abs(standard.std() - 1) < 4 / (2 * n) ** 0.5


def test_the_posterior_s_draw_is_not_the_noise(visits, pairs):
    stream = visits(pairs, augment="none")
    order = stream.schedule.order(0)
    batch = stream.batch(order, 0)
    mean, logvar = stream.posteriors.of([(i, Crop(2, 2, flip=False)) for i in order])
    draw = (batch.clean / stream._base.scaling_factor - mean) / (0.5 * logvar).exp()
    both = torch.stack([draw.flatten(), batch.noise.flatten()])
    assert abs(torch.corrcoef(both)[0, 1]) < 4 / both.shape[1] ** 0.5


def test_a_flip_is_encoded_and_not_a_flipped_latent(fresh, pairs):
    base = fresh()
    posteriors = Posteriors(base, pairs, margin=2)
    plain, mirrored = Crop(1, 3, flip=False), Crop(1, 3, flip=True)
    pixels = torch.from_numpy(cut(posteriors.pixels[0], plain, 16))[None]
    with torch.no_grad():
        wanted = base.vae.encode(pixels.flip(3)).latent_dist
    mean, logvar = posteriors.of([(0, mirrored)])
    torch.testing.assert_close(mean, wanted.mean, **CLOSE)
    torch.testing.assert_close(logvar, wanted.logvar, **CLOSE)
    turned = posteriors.of([(0, plain)])[0].flip(3)
    assert (mean - turned).abs().max() > 0.1


def test_augmented_visits_see_flips_and_shifts_and_the_others_do_not(visits, pairs):
    stream = visits(pairs, epochs=20)
    squares = {crop for _, crop in stream.squares(stream.schedule)}
    assert {crop.flip for crop in squares} == {False, True}
    assert {crop.top for crop in squares} == {crop.left for crop in squares} == set(range(5))
    stream = visits(pairs, epochs=20, augment="none")
    centred = {crop for _, crop in stream.squares(stream.schedule)}
    assert centred == {Crop(2, 2, flip=False)}


def test_posteriors_do_not_depend_on_how_they_are_asked_for(fresh, pairs, monkeypatch):
    base = fresh()
    squares = [(i, Crop(i % 3, 1, flip=bool(i % 2))) for i in range(10)]
    filled = Posteriors(base, pairs, 2)
    filled.fill([*squares, *squares], lambda done, of: None)
    lazy = Posteriors(base, pairs, 2)
    monkeypatch.setattr(caches, "LIMIT_BYTES", 0)
    lazy.fill(squares, lambda done, of: pytest.fail("nothing may be encoded up front"))
    for ours, theirs in zip(filled.of(squares), lazy.of(squares), strict=True):
        torch.testing.assert_close(ours, theirs, **CLOSE)
    one = torch.cat([lazy.of([square])[0] for square in squares])
    torch.testing.assert_close(one, filled.of(squares)[0], **CLOSE)


def test_the_limit_counts_mean_and_variance_of_every_square(fresh, pairs, monkeypatch):
    squares = [(i, Crop(0, 0, flip=False)) for i in range(10)]
    needed = 10 * 2 * 4 * 8 * 8 * 4
    for limit, known in ((needed, 10), (needed - 1, 0)):
        monkeypatch.setattr(caches, "LIMIT_BYTES", limit)
        posteriors = Posteriors(fresh(), pairs, 0)
        posteriors.fill(squares, lambda done, of: None)
        assert len(posteriors._known) == known


def test_text_states_are_found_by_pair_and_equal_captions_share_one(fresh, monkeypatch):
    monkeypatch.setattr(caches, "ENCODE_BATCH", 2)
    base = fresh()
    states = TextStates(base, ("b", "a", "b", "c", ""))
    assert len(states._held) == 4
    found = states.of(["", "b", "b", "a"])
    assert torch.equal(found[1], found[2])
    for row, caption in zip(found, ("", "b", "b", "a"), strict=True):
        ids = base.tokenizer(caption, padding="max_length", return_tensors="pt").input_ids
        with torch.no_grad():
            torch.testing.assert_close(row, base.text_encoder(ids)[0][0], **CLOSE)


def test_captions_that_a_visit_brings_are_encoded_with_it_and_forgotten(fresh):
    states = TextStates(fresh(), ("a",))
    mixed = states.of(["new", "a", "new"])
    assert torch.equal(mixed[0], mixed[2])
    assert torch.equal(mixed[1], states.of(["a"])[0])
    assert torch.equal(states.of(["new"]), states.of(["new"]))
    assert len(states._held) == 1


def test_poisson_draws_each_pair_for_each_batch_by_itself(recipe):
    changed = recipe.model_copy(update={"poisson": True, "epochs": 400})
    schedule = Schedule(changed, 10, 0)
    drawn = [schedule.chosen(number) for number in range(schedule.total)]
    assert schedule.total == 400 * 3
    counts = np.array([[i in some for i in range(10)] for some in drawn])
    assert abs(counts.mean(0) - 0.4).max() < 5 * (0.24 / len(drawn)) ** 0.5
    assert abs(np.corrcoef(counts.T) - np.eye(10)).max() < 5 / len(drawn) ** 0.5
    assert len({schedule.visit(number) for number in range(schedule.total)}) == schedule.total
    assert [] in drawn
