"""Attacks that share one model's evaluations: fewer rows, and the same bits."""

from __future__ import annotations

import numpy as np
import pytest

from bench.models.evaluations import Evaluations
from bench.models.target import ModelTarget

PAPER = ["loss", "pia", "mc", "secmi", "clid_th", "pfami"]
FREE = ["clid_vec", "ref_loss", "ref_align", "clid_th[reduction=null]"]
OTHERS = ["clid_th[reduction=importance]", "clid_vec[reduction=noise]", "pian"]
ORDERS = {
    "as listed": PAPER + FREE + OTHERS,
    "reversed": (PAPER + FREE + OTHERS)[::-1],
    "shuffled": list(np.random.default_rng(0).permutation(PAPER + FREE + OTHERS)),
    "importance last": PAPER + FREE + OTHERS[1:] + OTHERS[:1],
    "differences before": ["clid_th[reduction=null]", "ref_align", *PAPER, *FREE[:2], *OTHERS],
}


@pytest.fixture
def some(pairs):
    """With captions that repeat, within a batch of five and across; one empty, one a third."""
    captions = list(pairs.captions)
    captions[3], captions[11], captions[7] = captions[1], captions[1], captions[6]
    captions[8], captions[10] = "", captions[0][: len(captions[0]) // 3]
    return pairs.with_captions(captions).select(pairs.ids[:12])


@pytest.fixture(scope="module")
def memory():
    return {}


@pytest.fixture
def asked_together(attack, ask, target_of, some):
    """Features by call, and rows made by model, of attacks that share target and reference."""

    def run(calls):
        target, reference = target_of(), target_of(lambda z, t, c: 0.1 * z)
        models = [Evaluations(model.base, 0, rows=5) for model in (target, reference)]
        found = {}
        for call in calls:
            views = [ModelTarget(shared.base, 0, shared=shared) for shared in models]
            found[call] = ask(attack(call), views[0], some, views[1])
            assert views[0].queries == attack(call).queries * len(some)  # as if it were alone
        assert [shared.made for shared in models] == [
            model.base.unet.rows for model in (target, reference)
        ]
        return found, [shared.made / len(some) for shared in models]

    return run


@pytest.mark.parametrize("order", [1, -1])
def test_the_paper_s_attacks_need_49_rows_a_pair_instead_of_53(asked_together, attack, order):
    _, (made, _) = asked_together(PAPER[::order])
    assert sum(attack(call).queries for call in PAPER) == 53
    assert made == 49


@pytest.mark.parametrize("order", [1, -1])
def test_what_reads_the_same_evaluations_adds_none(asked_together, order):
    """Those that compare predictions first, as the executor puts them; else these are asked again.

    A loss follows from a prediction, and predictions are too large to be kept unasked.
    """
    comparing, others = FREE[1:3], [FREE[0], FREE[3], *PAPER]
    _, (made, of_reference) = asked_together(comparing[::order] + others[::order])
    assert made == 49
    assert of_reference == 3
    _, (made, of_reference) = asked_together((others + comparing)[::order])
    assert made <= 52
    assert of_reference == 3


@pytest.mark.parametrize("order", ORDERS)
def test_sharing_changes_no_bit_whatever_the_order(asked_together, memory, order):
    together, _ = asked_together(ORDERS[order])
    for call, features in together.items():
        if call not in memory:
            memory[call] = asked_together([call])[0][call]
        assert np.array_equal(features, memory[call]), call


@pytest.mark.parametrize("limit", ["KEPT_BYTES", "TEXT_BYTES"])
@pytest.mark.parametrize("size", [0, 60_000])
def test_nor_does_a_memory_that_is_full(asked_together, monkeypatch, limit, size):
    calls = ["mc", *FREE, "pian"]
    wanted, _ = asked_together(calls)
    monkeypatch.setattr(f"bench.models.evaluations.{limit}", size)
    found, _ = asked_together(calls)
    assert all(np.array_equal(found[call], wanted[call]) for call in calls)


def test_other_pairs_asked_before_change_no_bit(attack, target_of, pairs):
    """One process asks the base about one part after another; with `resplit` these overlap."""
    made, target = attack("clid_th"), target_of()
    first, second = pairs.select(pairs.ids[:15]), pairs.select(pairs.ids[8:16])
    made.features(target, first)
    found = made.features(target, second)
    assert np.array_equal(found, made.features(target_of(), second))


def test_an_attack_that_changes_what_it_was_given_changes_no_other(attack, target_of, pairs):
    shared = Evaluations(target_of().base, 0)
    spoiler = ModelTarget(shared.base, 0, shared=shared)
    for given in (spoiler.text(pairs.captions), spoiler.latents(pairs), spoiler.noise(pairs, 450)):
        try:
            given.add_(5.0)
        except RuntimeError:  # torch refuses, after it has changed the numbers
            continue
    after = attack("clid_th").features(ModelTarget(shared.base, 0, shared=shared), pairs)
    assert np.array_equal(after, attack("clid_th").features(target_of(), pairs))
