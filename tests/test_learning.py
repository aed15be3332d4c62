"""The small classifiers of attacks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bench.learning import ResNet18
from bench.stats.roc import auc


def maps(seed, channels, side, n=96, gain=2.0):
    """Noise; a member's upper half is brighter."""
    rng = np.random.default_rng(seed)
    is_member = rng.permutation(n) < n // 2
    rows = rng.normal(size=(n, channels, side, side))
    rows[is_member, :, : side // 2] += gain
    return rows.reshape(n, -1), is_member


@pytest.mark.parametrize(
    ("network", "side"),
    [
        (ResNet18(1, 60, batch=96, rate=1e-2), 10),
        (ResNet18(4, 15, batch=16, rate=1e-3, momentum=0.9), 8),
    ],
    ids=["as pfami_nn", "as secmi_nns"],
)
def test_what_separates_the_shadow_is_found_on_the_target(network, side):
    """Scores near 1 for members and near 0 for others."""
    shadow, is_member = maps(0, network.channels, side)
    target, in_target = maps(1, network.channels, side)
    scores = network.fit(shadow, is_member).predict(target)
    assert scores.shape == (96,)
    assert scores.dtype == np.float64
    assert auc(scores[in_target], scores[~in_target]) > 0.95
    assert abs(scores[in_target].mean() - 1) < 0.5 > abs(scores[~in_target].mean())


def test_the_size_of_the_numbers_does_not_matter():
    """Errors of 2^-20 are as good as any: maps are divided by the shadow's mean size."""
    rows, is_member = maps(0, 1, 10, n=16)
    large, small = (
        ResNet18(1, 2, 8, 1e-2).fit(scale * rows, is_member).predict(scale * rows)
        for scale in (1, 2.0**-20)
    )
    assert np.array_equal(large, small)


def test_the_same_rows_give_the_same_network_and_another_seed_another():
    rows, is_member = maps(0, 1, 10)
    networks = [
        ResNet18(1, 2, batch=40, rate=1e-2, seed=seed).fit(rows, is_member) for seed in (0, 0, 1)
    ]
    first, second, other = (network.predict(rows) for network in networks)
    assert np.array_equal(first, second)
    assert np.all(first != other)


def test_the_global_generator_is_neither_read_nor_moved():
    rows, is_member = maps(0, 1, 10, n=8)
    found = []
    for seed in (3, 4):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        found.append(ResNet18(1, 2, batch=5, rate=1e-2).fit(rows, is_member).predict(rows))
        assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(*found)


def test_a_row_s_score_does_not_depend_on_the_others():
    rows, is_member = maps(0, 1, 10)
    network = ResNet18(1, 2, batch=40, rate=1e-2).fit(rows, is_member)
    together = network.predict(np.concatenate([rows] * 3))  # more than one batch
    alone = np.concatenate([network.predict(row[None]) for row in rows[:5]])
    np.testing.assert_allclose(together[:5], alone, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(together[:96], together[-96:], rtol=1e-4, atol=1e-6)


def test_a_last_batch_of_one_row_is_left_out_of_an_epoch():
    rows, is_member = maps(0, 1, 10, n=5)
    scores = ResNet18(1, 3, batch=4, rate=1e-2).fit(rows, is_member).predict(rows)
    assert np.isfinite(scores).all()


def test_maps_of_nothing_are_no_division_by_zero():
    rows = np.zeros((6, 100))
    scores = ResNet18(1, 2, batch=6, rate=1e-2).fit(rows, np.arange(6) < 3).predict(rows)
    assert np.isfinite(scores).all()
    assert len(set(scores)) == 1


@pytest.mark.parametrize(("channels", "columns"), [(1, 50), (4, 100 * 3), (3, 256), (4, 254)])
def test_maps_that_are_not_square_are_refused(channels, columns):
    network = ResNet18(channels, 1, batch=4, rate=1e-2)
    with pytest.raises(ValueError, match=f"{columns} numbers are no {channels} square maps"):
        network.fit(np.ones((4, columns)), np.arange(4) < 2)


def test_it_is_a_resnet_18_with_the_published_optimisers():
    """SGD decays weights, Adam does not."""
    rows, is_member = maps(0, 1, 10, n=8)
    adam, sgd = ResNet18(1, 1, 96, 1e-2), ResNet18(1, 1, 96, 1e-3, momentum=0.9)
    for network, kind, decay in ((adam, torch.optim.Adam, 0), (sgd, torch.optim.SGD, 5e-4)):
        network.fit(rows, is_member)
        made = network._optimizer()
        assert type(made) is kind
        assert made.defaults["lr"] == network.rate
        assert made.defaults["weight_decay"] == decay
        assert made.defaults.get("momentum", 0) == network.momentum
    blocks = [m for m in adam._network.modules() if type(m).__name__ == "ResNetBasicLayer"]
    assert len(blocks) == 8  # two convolutions each, with the first and the head eighteen
