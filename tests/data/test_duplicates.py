"""Which pictures are near-duplicates, and what hangs together through them."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bench.data import tiles
from bench.data.duplicates import components, near_duplicates, thumbnails
from bench.rng import generator

LINKS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=12)


@given(LINKS)
def test_components_are_what_can_be_reached(links: list[tuple[int, int]]) -> None:
    label = list(range(10))
    for _ in range(10):
        for i, j in links:
            label[i] = label[j] = min(label[i], label[j])
    groups = components(10, links)
    assert groups == [[i for i in range(10) if label[i] == k] for k in sorted(set(label))]


def test_near_duplicates_are_those_of_the_plain_definition() -> None:
    rng = generator("near")
    base = rng.integers(0, 256, (60, 32, 32, 3))
    base[:20] = 255
    base[:20, 10:14, 10:14] = rng.integers(0, 256, (20, 1, 1, 3))
    noisy = base + rng.normal(0, rng.uniform(1, 9, (60, 1, 1, 1)), base.shape)
    small = np.concatenate([base, noisy.round(), base[:3]]).clip(0, 255).astype(np.uint8)
    scaled = small.reshape(len(small), -1) / 255
    expected = {
        (i, j)
        for i, j in itertools.combinations(range(len(small)), 2)
        if np.sqrt(np.mean((scaled[i] - scaled[j]) ** 2)) < 0.02
    }
    assert 20 < len(expected) < 1000
    assert components(len(small), near_duplicates(small)) == components(len(small), expected)


def test_near_duplicates_of_blank_pictures_are_found() -> None:
    links = near_duplicates(np.full((3000, 32, 32, 3), 255, dtype=np.uint8))
    assert len(links) == 2999
    faint = np.full((600, 32, 32, 3), 250, dtype=np.uint8)
    faint[:, 0, 0, 0] = np.arange(600) % 250
    assert len(near_duplicates(faint)) > 599


def test_thumbnails_of_tiles_are_the_tiles() -> None:
    assert np.array_equal(thumbnails(tiles.pairs()), tiles.pixels())
