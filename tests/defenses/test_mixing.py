"""The defenses `latent_mixup`, `text_mixup` and `input_perturbation`."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from defended import made
from scipy import stats

from bench.api import Batch, Context
from bench.errors import UsageError

NAMES = ("latent_mixup", "text_mixup")


def batch_of(ids, visit=0):
    """Pair k has the k-th unit vector as latents and ten times it as text states."""
    n = len(ids)
    unit = torch.eye(n)
    return Batch(
        ids=tuple(ids),
        visit=visit,
        clean=unit.view(n, n, 1, 1),
        noise=torch.arange(n * n, dtype=torch.float32).view(n, n, 1, 1),
        times=torch.arange(n),
        text=10 * unit.view(n, 1, n),
    )


def mixed(text, batch, seed=0):
    training = Context(seed, None)
    return made(text).on_batch(batch, training), training.notes


def share_and_partner(rows):
    """lam and the partners, read off mixed unit vectors; a pair's own partner is itself."""
    lams = {round(float(row[i]), 6) for i, row in enumerate(rows) if row[i] < 1}
    partners = []
    for i, row in enumerate(rows):
        assert float(row.sum()) == pytest.approx(1)
        others = [j for j in range(len(row)) if row[j] > 0 and j != i]
        assert len(others) <= 1
        partners.append(others[0] if others else i)
    return lams, partners


def test_latents_and_text_get_one_share_of_one_partner():
    batch = batch_of("abcdefgh")
    new, notes = mixed("latent_mixup", batch)
    lams, partners = share_and_partner(new.clean.flatten(1))
    assert len(lams) == 1
    assert sorted(partners) == list(range(8))
    torch.testing.assert_close(new.text.flatten(1), 10 * new.clean.flatten(1))
    assert torch.equal(new.noise, batch.noise)
    assert torch.equal(new.times, batch.times)
    assert new.ids == batch.ids
    assert notes == {"visits": 8, "partner_share": pytest.approx(1 - lams.pop(), abs=1e-5)}


def test_text_alone_is_mixed_by_the_other():
    batch = batch_of("abcdefgh")
    new, _ = mixed("text_mixup", batch)
    lams, partners = share_and_partner(new.text.flatten(1) / 10)
    assert len(lams) == 1
    assert sorted(partners) == list(range(8))
    assert torch.equal(new.clean, batch.clean)


@pytest.mark.parametrize(
    ("text", "law"),
    [
        ("latent_mixup", stats.beta(0.2, 0.2)),
        ("latent_mixup[a=3]", stats.beta(3, 3)),
        ("text_mixup", stats.uniform()),
        ("text_mixup[a=4]", stats.beta(4, 1)),
    ],
)
def test_shares_follow_their_law(text, law):
    shares, training = [], Context(0, None)
    defense = made(text)
    for visit in range(400):
        training.notes.clear()
        defense.on_batch(batch_of("abc", visit), training)
        shares.append(1 - training.notes["partner_share"])
    assert stats.kstest(shares, law.cdf).pvalue > 1e-3


def test_every_permutation_is_drawn():
    found = Counter()
    for visit in range(600):
        new, _ = mixed("text_mixup[a=2]", batch_of("abc", visit))
        found[tuple(share_and_partner(new.text.flatten(1) / 10)[1])] += 1
    assert len(found) == 6
    assert min(found.values()) > 60


def test_the_mean_share_runs_over_all_visits():
    defense, training, seen = made("text_mixup"), Context(0, None), []
    for visit, ids in enumerate(("abcd", "ef", "gh")):
        defense.on_batch(batch_of(ids, visit), training)
        alone = Context(0, None)
        defense.on_batch(batch_of(ids, visit), alone)
        seen += [alone.notes["partner_share"]] * len(ids)
    assert training.notes["visits"] == 8
    assert training.notes["partner_share"] == pytest.approx(np.mean(seen))


@pytest.mark.parametrize("name", NAMES)
def test_who_is_mixed_with_whom_does_not_depend_on_places(name):
    batch, turned = batch_of("abcde"), batch_of("abcde")
    rows = [3, 1, 4, 0, 2]
    turned = replace(
        turned,
        ids=tuple(turned.ids[i] for i in rows),
        clean=turned.clean[rows],
        text=turned.text[rows],
    )
    plain, other = mixed(name, batch)[0], mixed(name, turned)[0]
    assert torch.equal(other.text, plain.text[rows])
    assert torch.equal(other.clean, plain.clean[rows])
    for changed, seed in ((batch_of("abcde", 1), 0), (batch_of("abcdf"), 0), (batch, 1)):
        assert not torch.equal(mixed(name, changed, seed)[0].text, plain.text)


@pytest.mark.parametrize(
    "text", ["latent_mixup[a=0]", "text_mixup[a=0]", "text_mixup[a=inf]",
             "input_perturbation[gamma=0]"]
)  # fmt: skip
def test_strength_zero_trains_the_weights_of_none(trained, undefended, text):
    run = trained(text)
    assert run.bytes == undefended.bytes
    assert not any(run.notes.values())


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_of_one_is_left_alone(name):
    batch = batch_of("a")
    new, notes = mixed(name, batch)
    assert new is batch
    assert notes == {}


@pytest.mark.parametrize("name", [*NAMES, "input_perturbation"])
def test_a_resumed_training_is_the_same_to_the_bit(trained, undefended, name):
    whole, resumed = trained(name), trained(name, killed=14)
    assert whole.bytes != undefended.bytes
    assert resumed.bytes == whole.bytes
    assert resumed.notes == whole.notes
    assert whole.notes[name]["visits"] == 20


def test_more_noise_is_mixed_in_than_is_to_be_predicted():
    ids = [f"p{i}" for i in range(40)]
    batch = replace(batch_of(ids), noise=torch.zeros(40, 40, 1, 1))
    new, notes = mixed("input_perturbation", batch)
    assert torch.equal(new.noise, batch.noise)
    xi = (new.added - batch.noise).flatten() / 0.1
    assert stats.kstest(xi.double().numpy(), "norm").pvalue > 1e-3
    assert notes == {"visits": 40}
    further, _ = mixed("input_perturbation[gamma=0.5]", new)
    torch.testing.assert_close(further.added - new.added, 5 * (new.added - batch.noise))


def test_perturbations_belong_to_pair_and_visit():
    batch = batch_of("abcd")
    xi = mixed("input_perturbation", batch)[0].added - batch.noise
    turned = replace(batch, ids=("d", "c", "b", "a"))
    again = mixed("input_perturbation", turned)[0].added - batch.noise
    torch.testing.assert_close(again.flip(0), xi)
    later = mixed("input_perturbation", batch_of("abcd", 1))[0].added - batch.noise
    assert (later - xi).abs().min() > 1e-4


@pytest.mark.parametrize(
    "text",
    ["latent_mixup[a=-1]", "latent_mixup[a=inf]", "latent_mixup[a=nan]", "text_mixup[a=-0.1]",
     "text_mixup[a=nan]", "input_perturbation[gamma=-1]", "input_perturbation[gamma=inf]"],
)  # fmt: skip
def test_bad_parameters(text):
    with pytest.raises(UsageError, match=r"defense \w+: \w+=\S+ must be at least 0"):
        made(text)
