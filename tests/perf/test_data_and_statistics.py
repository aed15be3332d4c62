"""How long splitting, looking for duplicates and one interval take; records only."""

from __future__ import annotations

import numpy as np

from bench.data import tiles
from bench.data.duplicates import near_duplicates
from bench.data.sources import open_source
from bench.data.splits import make_split
from bench.stats import tpr_interval


def test_identity_of_tiles(benchmark):
    benchmark(lambda: open_source("tiles").identity)


def test_a_split_of_tiles(benchmark):
    source = open_source("tiles")
    pairs = source.pairs()
    assert benchmark.pedantic(lambda: make_split(pairs, source.identity, seed=0), rounds=3).members


def test_near_duplicates_of_tiles(benchmark):
    benchmark.pedantic(lambda: near_duplicates(tiles.pixels()), rounds=3)


def test_tpr_interval_of_a_board_row(benchmark):
    rng = np.random.default_rng(0)
    members, holdouts = rng.normal(1, 1, 2500), rng.normal(0, 1, 2500)
    benchmark(lambda: tpr_interval(members, holdouts))
