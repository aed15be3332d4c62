"""The defense `gn`: how much noise, on what, and that it is nobody else's."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from defended import made

from bench.api import Batch, Context
from bench.composition import Composition
from bench.errors import UsageError
from bench.rng import generator

TOKENS, WIDTH = 77, 64


def batch(ids, visit, text=None):
    n = len(ids)
    latents = torch.ones(n, 4, 8, 8)
    states = torch.ones(n, TOKENS, WIDTH) if text is None else text
    return Batch(tuple(ids), visit, latents, 2 * latents, torch.arange(n), states)


def training(seed=0):
    return SimpleNamespace(notes={}, rng=lambda *keys: generator(seed, "defense", *keys), steps=0)


def noised(text, ids=("a", "b"), visit=0, seed=0):
    return made(text).on_batch(batch(ids, visit), training(seed)).text - 1


def test_noise_has_the_asked_for_deviation_on_every_position():
    noise = noised("gn[lam=0.3]", [f"p{i}" for i in range(50)])
    assert float(noise.mean()) == pytest.approx(0, abs=0.003)
    assert float(noise.std()) == pytest.approx(0.3, rel=0.01)
    by_position = noise.permute(1, 0, 2).flatten(1).std(1)
    assert len(by_position) == TOKENS
    assert by_position.numpy() == pytest.approx(0.3, rel=0.1)
    assert float(noised("gn", ["p"]).std()) == pytest.approx(0.1, rel=0.05)


def test_noise_belongs_to_pair_visit_and_seed():
    both = noised("gn")
    assert torch.equal(noised("gn", ["b"])[0], both[1])
    assert not torch.equal(both[0], both[1])
    assert not torch.equal(noised("gn", visit=1), both)
    assert not torch.equal(noised("gn", seed=1), both)


def test_nothing_else_of_the_batch_changes():
    defense, given = made("gn"), batch(["a"], 0)
    new = defense.on_batch(given, training())
    assert torch.equal(given.text, torch.ones(1, TOKENS, WIDTH)), "the cached states stay"
    assert new.clean is given.clean
    assert new.noise is given.noise
    assert new.times is given.times
    assert (new.ids, new.visit, new.added) == (given.ids, given.visit, None)


def test_the_notes_tell_noise_from_signal():
    defense, told = made("gn[lam=0.5]"), training()
    for visit in range(3):
        defense.on_batch(batch(["a", "b"], visit), told)
    defense.on_batch(batch(["c"], 0, torch.full((1, TOKENS, WIDTH), 2.0)), told)
    assert told.notes["visits"] == 7
    assert told.notes["noise_share"] == pytest.approx((6 * 0.5 + 0.25) / 7, rel=0.02)


@pytest.mark.parametrize("lam", [-0.1, float("nan"), float("inf")])
def test_noise_that_cannot_be(lam):
    with pytest.raises(UsageError, match="defense gn: lam=.* must be at least 0 and finite"):
        made(f"gn[lam={lam}]")


def test_strength_zero_trains_the_weights_of_none(trained, undefended):
    assert trained("gn[lam=0]").bytes == undefended.bytes
    done = trained("gn")
    assert done.bytes != undefended.bytes
    assert done.notes["gn"]["visits"] == 20


def test_a_resumed_training_is_the_same(trained):
    whole, resumed = trained("gn"), trained("gn", killed=14)
    assert resumed.bytes == whole.bytes
    assert resumed.notes == whole.notes


def test_noise_does_not_change_which_words_are_deleted(trained, few):
    alone = trained("del[rate=0.5,per=visit]")
    both = trained("gn", "del[rate=0.5,per=visit]")
    assert both.read == alone.read
    assert both.notes["del-per-visit"] == alone.notes["del-per-visit"]
    assert both.bytes != alone.bytes
    context = Context(3, few)
    with_noise = Composition([made("gn"), made("del1")]).prepare(few, context)
    assert with_noise.captions == Composition([made("del1")]).prepare(few, context).captions
