"""The defense `early_stop`: when training ends, and by whose loss."""

from __future__ import annotations

import pytest
from defended import made

from bench.errors import UsageError


class Measured:
    """A training whose auxiliary loss takes these values."""

    def __init__(self, losses):
        self.auxiliary, self.notes, self._losses = object(), {}, iter(losses)

    def loss_on(self, pairs):
        assert pairs is self.auxiliary
        return next(self._losses)


def end(text, losses=(), epochs=40):
    """The epoch after which training stops, and the notes; None if it does not."""
    defense, training = made(text), Measured(losses)
    for epoch in range(1, epochs + 1):
        if defense.stops(epoch, training):
            return epoch, training.notes
    return None, training.notes


@pytest.mark.parametrize(("text", "epoch"), [("e5", 5), ("e10", 10), ("e20", 20)])
def test_a_fixed_end_asks_for_no_loss(text, epoch):
    assert end(f"early_stop[preset={text}]") == (epoch, {"stopped_after": epoch})


@pytest.mark.parametrize(
    ("text", "losses", "epoch"),
    [
        ("patience=2,every=1", [5, 4, 3, 3, 3], 5),  # no better twice in a row
        ("patience=2,every=1", [5, 4, 6, 3, 4, 4], 6),  # a gain starts the count again
        ("patience=2,every=1", [5, 4, 6, 4.5, 3], 4),  # better than the last is not enough
        ("patience=1,every=1", [5, 5], 2),
        ("patience=2,every=1,min_gain=0.5", [5, 4.6, 4.5, 1], 3),  # neither gains more than 0.5
        ("patience=2,every=1,min_gain=0.5", [5, 4.6, 4.4, 4.3, 4.2], 5),  # 4.4 does against 5
        ("patience=2,every=5", [5, 4, 4, 4], 20),
        ("epochs=7,patience=2,every=5", [5, 4], 7),
        ("epochs=30,patience=1,every=5", [5, 6], 10),
    ],
)
def test_patience(text, losses, epoch):
    found, notes = end(f"early_stop[{text}]", losses)
    assert found == notes["stopped_after"] == epoch
    assert notes["losses"] == losses[: len(notes["losses"])]


def test_defaults_look_every_five_epochs_and_wait_twice():
    assert end("early_stop", [3, 2, 1, 2, 2, 0])[0] == 25


def test_while_the_loss_falls_training_goes_on():
    found, notes = end("early_stop[patience=1,every=5]", [8, 7, 6, 5, 4, 3, 2, 1])
    assert found is None
    assert notes == {"losses": [8, 7, 6, 5, 4, 3, 2, 1]}


def test_the_count_survives_a_round_trip():
    first, training = made("early_stop[every=1]"), Measured([2.0, 3.0])
    assert not first.stops(1, training)
    assert not first.stops(2, training)
    second = made("early_stop[every=1]")
    second.restore(first.state())
    assert second.stops(3, Measured([2.0]))
    assert not made("early_stop[every=1]").stops(3, Measured([2.0]))
    unasked = made("early_stop")
    unasked.restore(made("early_stop").state())
    assert not unasked.stops(5, Measured([1e9]))


def test_strength_zero_trains_the_weights_of_none(trained, undefended):
    assert trained("early_stop[patience=0]").bytes == undefended.bytes


def test_measuring_changes_no_weight(trained, few, recipe):
    """Falls or not: with more patience than evaluations it never stops."""
    long = recipe.changed(epochs=3)
    run = trained("early_stop[every=1,patience=9]", recipe=long, auxiliary=few.select(few.ids[:3]))
    assert run.bytes == trained("none", recipe=long).bytes
    notes = run.notes["early_stop"]
    assert len(set(notes["losses"])) == 3
    assert notes["extra_forwards"] == 3 * 3 * 4


def test_a_stopped_model_is_that_of_a_shorter_training(trained, recipe):
    run = trained("early_stop[epochs=2,patience=0]", recipe=recipe.changed(epochs=4, keep=(1, 3)))
    assert run.figures["epochs"] == 2
    assert run.bytes == trained("none").bytes
    assert run.kept["unet-0003"] == run.bytes  # it was no other at epoch 3
    assert run.kept["unet-0001"] != run.bytes


@pytest.mark.parametrize("killed", [10, 14, 20, 28])
def test_a_resumed_training_stops_where_it_would_have(trained, few, recipe, killed):
    text = "early_stop[every=1,patience=2,min_gain=1000]"  # nothing gains so much: it ends at 3
    long, unseen = recipe.changed(epochs=5), few.select(few.ids[:2])
    whole = trained(text, recipe=long, auxiliary=unseen)
    assert whole.notes["early_stop"]["stopped_after"] == 3
    resumed = trained(text, recipe=long, auxiliary=unseen, killed=killed)
    assert resumed.bytes == whole.bytes
    assert resumed.notes == whole.notes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("epochs=-1", "epochs=-1 must be at least 0"),
        ("patience=-1", "patience=-1 must be at least 0"),
        ("every=0", "every=0 must be at least 1"),
        ("min_gain=-0.1", "min_gain=-0.1 must be at least 0"),
        ("min_gain=inf", "min_gain=inf must be at least 0 and finite"),
    ],
)
def test_bad_parameters(text, said):
    with pytest.raises(UsageError, match=f"defense early_stop: {said}"):
        made(f"early_stop[{text}]")
