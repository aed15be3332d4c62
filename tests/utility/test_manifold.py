"""Precision and recall against the reference implementation, by brute force, and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from bench.utility import manifold
from bench.utility.manifold import overlap


def sets(seed, n, m, d=6, shift=0.0, scale=1.0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), shift + scale * rng.normal(size=(m, d))


def brute(real, fake, k):
    """The definition, a pair of points at a time."""

    def within(around, points):
        radii = [sorted(np.linalg.norm(a - b) for b in around)[k] for a in around]
        return np.mean(
            [
                any(np.linalg.norm(p - a) <= r for a, r in zip(around, radii, strict=True))
                for p in points
            ]
        )

    return within(real, fake), within(fake, real)


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize(("n", "m", "shift", "scale"), [(20, 20, 0, 1), (12, 30, 0.7, 0.5)])
def test_it_is_the_definition(n, m, k, shift, scale):
    real, fake = sets(n, n, m, shift=shift, scale=scale)
    assert overlap(real, fake, k) == pytest.approx(brute(real, fake, k))


@pytest.mark.parametrize(("shift", "scale"), [(0.0, 1.0), (0.5, 0.7), (0.0, 1.5)])
def test_it_is_that_of_the_reference_implementation(shift, scale):
    from prdc import compute_prdc

    real, fake = sets(3, 150, 150, 16, shift, scale)
    theirs = compute_prdc(real, fake, nearest_k=3)
    ours = overlap(real, fake)
    assert 0 < min(ours) < 1
    assert ours == pytest.approx((theirs["precision"], theirs["recall"]), abs=1e-12)


def test_three_neighbours_unless_said_otherwise():
    real, fake = sets(0, 40, 40)
    assert overlap(real, fake) == overlap(real, fake, 3) != overlap(real, fake, 1)


def test_precision_is_of_samples_and_recall_of_real_pictures():
    """Samples in one corner of what is real: all of them right, most of the real ones missed."""
    real, _ = sets(0, 200, 2, d=2)
    fake = real[np.argsort(real[:, 0])[:40]] + 1e-3
    found = overlap(real, fake)
    assert found.precision == 1
    assert found.recall < 0.5
    assert overlap(fake, real) == (found.recall, found.precision)


def test_the_border_belongs_to_a_ball_and_the_centre_is_no_neighbour_of_its_own():
    line = np.arange(5.0)[:, None]
    assert overlap(line, np.array([[5.0], [9], [9], [9]]), k=1).precision == 0.25
    assert overlap(line, np.array([[5.1], [9], [9], [9]]), k=1).precision == 0
    assert overlap(line, np.array([[6.0], [9], [9], [9]]), k=2).precision == 0.25


def test_equal_sets_overlap_and_far_ones_do_not():
    real, _ = sets(0, 30, 30)
    assert overlap(real, real) == (1, 1)
    assert overlap(real, real + 100) == (0, 0)


def test_blocks_of_rows_change_nothing(monkeypatch):
    real, fake = sets(1, 50, 40, shift=0.4)
    whole = overlap(real, fake)
    monkeypatch.setattr(manifold, "ROWS", 7)
    assert overlap(real, fake) == whole


def test_float64_is_kept_where_float32_would_see_one_point():
    real, fake = sets(0, 30, 30, d=3)
    assert overlap(1e8 + real, 1e8 + fake) == overlap(real, fake)


@pytest.mark.parametrize(("n", "m"), [(3, 30), (30, 3), (2, 2)])
def test_sets_without_a_third_neighbour_have_no_figure(n, m):
    assert overlap(*sets(0, n, m)) is None
    assert overlap(*sets(0, max(n, 4), max(m, 4))) is not None
