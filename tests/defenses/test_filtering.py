"""The defenses `wen_filter` and `agc`: which visits count, and how much."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from defended import made

from bench.api import Batch
from bench.errors import UsageError

HALF = "wen_filter[tau=10]"
"""Keeps about half of the visits of the tiny base."""


class Asked:
    """A training that says what it was asked for and predicts nothing."""

    def __init__(self, kind="epsilon"):
        self.notes, self.prediction_type, self.calls = {}, kind, []

    def alphas(self, times):
        return torch.full((len(times),), 0.25)

    def noisy(self, batch):
        return batch.clean + 1

    def encode(self, captions):
        assert list(captions) == [""]
        return torch.full((1, 3, 5), 7.0)

    def predict(self, noisy, times, text):
        self.calls.append((noisy, times, text))
        return torch.zeros_like(noisy)


def batch_with(norms, shape=(4, 8, 8)):
    """A batch whose conditional predictions are vectors of these norms."""
    n, d = len(norms), math.prod(shape)
    batch = Batch(
        ids=tuple("abcdefgh"[:n]),
        visit=0,
        clean=torch.zeros(n, *shape),
        noise=torch.zeros(n, *shape),
        times=torch.arange(n),
        text=torch.zeros(n, 3, 5),
    )
    batch.output = torch.tensor(norms).view(n, 1, 1, 1).expand(n, *shape) / d**0.5
    return batch


def weights(text, batch, training=None):
    return made(text).weigh(torch.ones_like(batch.clean), batch, training or Asked())


def test_visits_below_the_scaled_threshold_share_the_loss():
    """256 numbers: the threshold is 2 sqrt(256 / 16384) = 0.25."""
    training = Asked()
    found = weights("wen_filter", batch_with([0.0, 0.249, 0.251, 3.0]), training)
    assert found.tolist() == [2.0, 2.0, 0.0, 0.0]
    assert training.notes == {"visits": 4, "kept": 2, "kept_share": 0.5, "empty_batches": 0}
    full = batch_with([1.99, 2.01], (4, 64, 64))
    assert weights("wen_filter", full).tolist() == [2.0, 0.0]
    assert weights("wen_filter[tau=8]", batch_with([0.99, 1.01])).tolist() == [2.0, 0.0]


@pytest.mark.parametrize("n", [1, 3, 7])
def test_all_kept_is_exactly_one_and_none_kept_exactly_zero(n):
    assert weights("wen_filter", batch_with([0.1] * n)).tolist() == [1.0] * n
    training = Asked()
    assert weights("wen_filter", batch_with([1.0] * n), training).tolist() == [0.0] * n
    assert training.notes == {"visits": n, "kept": 0, "kept_share": 0.0, "empty_batches": 1}


def test_the_other_prediction_is_of_the_same_input_under_the_empty_caption():
    training, batch = Asked(), batch_with([0.1, 0.2])
    weights("wen_filter", batch, training)
    ((noisy, times, text),) = training.calls
    assert torch.equal(noisy, batch.clean + 1)
    assert torch.equal(times, batch.times)
    assert torch.equal(text, torch.full((2, 3, 5), 7.0))


def test_velocities_are_compared_as_noise():
    """eps = sqrt(abar) v + ..., so with abar = 0.25 a velocity may move twice as far."""
    batch = batch_with([0.49, 0.51])
    assert weights("wen_filter", batch, Asked("v_prediction")).tolist() == [2.0, 0.0]
    assert weights("wen_filter", batch, Asked("epsilon")).tolist() == [0.0, 0.0]


def test_an_infinite_threshold_asks_nothing():
    training = Asked()
    assert weights("wen_filter[tau=inf]", batch_with([9.0]), training) is None
    assert training.calls == []
    assert training.notes == {}


def test_a_quantile_of_auxiliary_pairs_may_be_the_threshold(trained, few):
    """At the base, before any update; of the auxiliary pairs, not of what is trained on."""
    seen, unseen = few.select(few.ids[:4]), few.select(few.ids[4:])
    whole = trained("wen_filter[quantile=0.6]", pairs=seen, auxiliary=unseen)
    notes = whole.notes["wen_filter"]
    assert notes["extra_forwards"] == 2 * 6 + 8
    assert 0 < notes["kept"] < 8
    assert (
        notes["threshold"]
        != trained("wen_filter[quantile=0.6]", pairs=unseen, auxiliary=seen).notes["wen_filter"][
            "threshold"
        ]
    )
    resumed = trained("wen_filter[quantile=0.6]", pairs=seen, auxiliary=unseen, killed=4)
    assert resumed.bytes == whole.bytes
    assert resumed.notes == whole.notes


def test_the_quantile_is_that_of_the_norms(few):
    training = Asked()
    training.auxiliary, training.recipe = few, SimpleNamespace(batch=4)
    parts = iter([batch_with([0.1, 0.2, 0.3, 0.4]), batch_with([0.5, 0.6, 0.7, 0.8]),
                  batch_with([0.9, 1.0])])  # fmt: skip
    told = []

    def visits(pairs, draw, ids):
        assert (pairs, draw, ids) == (few, 0, few.ids[4 * len(told) : 4 * len(told) + 4])
        told.append(next(parts))
        return told[-1]

    def predict(noisy, times, text):
        empty = bool((text == 7.0).all())
        return torch.zeros_like(noisy) if empty else told[-1].output

    training.visits, training.predict = visits, predict
    defense = made("wen_filter[preset=calibrated,quantile=0.5]")
    defense.begin(training)
    assert training.notes["threshold"] == pytest.approx(0.55)
    batch = batch_with([0.54, 0.56])
    told.append(batch)
    assert defense.weigh(None, batch, training).tolist() == [2.0, 0.0]


def losses_as_errors(losses):
    return torch.tensor(losses).view(-1, 1, 1, 1).expand(-1, 4, 2, 2)


def at(times):
    return SimpleNamespace(times=torch.tensor(times))


def test_agc_follows_its_table():
    agc, training = made("agc[mem_ratio=2]"), SimpleNamespace(notes={})

    def weigh(times, losses):
        return agc.weigh(losses_as_errors(losses), at(times), training).tolist()

    assert weigh([5, 7], [1.0, 4.0]) == [1.0, 1.0]  # the table is 0: avg[5] = 0.2, avg[7] = 0.8
    assert weigh([5, 7, 9], [0.11, 0.39, 0.0]) == [1.5, 0.0, 1.5]
    # avg[5] = 0.16 + 0.022, avg[7] = 0.64 + 0.078: what was left out is counted too
    assert weigh([5, 7], [0.092, 0.358]) == [2.0, 0.0]
    assert weigh([7], [0.0]) == [0.0]
    assert training.notes == {"visits": 8, "kept": 5, "kept_share": 5 / 8, "empty_batches": 1}


def test_equal_timesteps_of_one_batch_are_judged_before_the_table_changes():
    agc, training = made("agc[mem_ratio=1]"), SimpleNamespace(notes={})
    first = agc.weigh(losses_as_errors([10.0, 0.1]), at([3, 3]), training)
    assert first.tolist() == [1.0, 1.0]
    assert agc.state()["usual"].tolist() == pytest.approx([0.8 * 2.0 + 0.2 * 0.1])


def test_agc_uses_the_published_ratio():
    agc, training = made("agc"), SimpleNamespace(notes={})
    agc.weigh(losses_as_errors([5.0, 5.0]), at([1, 2]), training)  # both averages are 1
    kept = agc.weigh(losses_as_errors([0.79, 0.81]), at([1, 2]), training)
    assert kept.tolist() == [0.0, 2.0]


def test_the_table_survives_a_round_trip():
    agc, again = made("agc"), made("agc")
    agc.weigh(losses_as_errors([0.3, 0.7]), at([999, 0]), SimpleNamespace(notes={}))
    again.restore(agc.state())
    for part in ("times", "usual"):
        assert torch.equal(again.state()[part], agc.state()[part])
    empty = made("agc")
    empty.restore(made("agc").state())
    assert empty.state()["times"].tolist() == []


@pytest.mark.parametrize(
    "text", ["wen_filter[tau=0]", "wen_filter[tau=nan]", "wen_filter[tau=-inf]", "agc[mem_ratio=0]"]
)
def test_bad_parameters(text):
    with pytest.raises(UsageError, match=r"defense \w+: \w+=\S+ must be greater than 0"):
        made(text)
    with pytest.raises(UsageError, match="quantile=1.0 must be at least 0 and below 1"):
        made("wen_filter[quantile=1]")


def test_strength_zero_trains_the_weights_of_none(trained, undefended):
    for text in ("wen_filter[tau=inf]", "agc[mem_ratio=inf]"):
        run = trained(text)
        assert run.bytes == undefended.bytes
        assert not any(run.notes.values())
    loose = trained("wen_filter[tau=1e6]")
    assert loose.bytes == undefended.bytes  # a filter that lets all through changes no bit
    assert loose.notes["wen_filter"] == {
        "visits": 20, "kept": 20, "kept_share": 1.0, "empty_batches": 0, "extra_forwards": 20,
    }  # fmt: skip


def test_a_training_without_a_kept_visit_only_decays(trained, recipe, tiny_base):
    from bench.models.base import load_base

    run = trained("wen_filter[tau=1e-9]", recipe=recipe.changed(weight_decay=0.0))
    assert run.notes["wen_filter"]["kept"] == 0
    assert run.notes["wen_filter"]["empty_batches"] == 6
    start = load_base(tiny_base).unet.state_dict()
    for name, value in run.weights.items():
        torch.testing.assert_close(value, start[name], rtol=0, atol=1e-6)


def test_a_resumed_filter_is_the_same_to_the_bit(trained, undefended):
    whole = trained(HALF)
    assert 5 < whole.notes["wen_filter"]["kept"] < 15
    assert whole.bytes != undefended.bytes
    resumed = trained(HALF, killed=14)
    assert resumed.bytes == whole.bytes
    assert resumed.notes == whole.notes


def test_a_resumed_table_is_the_same_to_the_bit(trained, recipe):
    """Long enough for timesteps to come again."""
    long = recipe.changed(epochs=20, batch=10)
    whole = trained("agc[mem_ratio=0.1]", recipe=long)
    assert whole.notes["agc"]["visits"] == 200
    assert whole.notes["agc"]["kept"] < 195
    resumed = trained("agc[mem_ratio=0.1]", recipe=long, killed=100)
    assert resumed.bytes == whole.bytes
    assert resumed.notes == whole.notes


def test_the_two_filters_do_not_go_together(trained):
    with pytest.raises(UsageError, match="wen_filter and agc cannot go together"):
        trained("wen_filter", "agc")


def test_a_changed_batch_forgets_its_output():
    batch = batch_with([1.0])
    assert not hasattr(replace(batch, visit=2), "output")
