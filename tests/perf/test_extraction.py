"""What querying a model through `ModelTarget` costs beside the bare U-Net.

The figure to read is `ratio` in extra_info: rows a second of the attack's own queries, pictures
and captions encoded and noise drawn, over those of forwards with everything at hand.
"""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch

from bench.data import tiles
from bench.models import base as bases
from bench.models.base import load_base
from bench.models.target import ROWS, ModelTarget
from bench.plugins import instantiate, resolve

PAIRS = 64
ROUNDS = 3


@pytest.fixture
def base():
    torch.set_num_threads(1)
    return load_base(bases.embedded_folder())


@pytest.fixture
def pairs():
    drawn = tiles.pairs()
    return drawn.select(drawn.ids[:PAIRS])


def bare_forwards(base, rows):
    """Batches of the usual size, nothing but the U-Net."""
    size = base.unet.config.sample_size
    noisy = torch.randn(ROWS, base.unet.config.in_channels, size, size)
    times = torch.full((ROWS,), 450)
    states = torch.randn(
        ROWS, base.tokenizer.model_max_length, base.unet.config.cross_attention_dim
    )
    with torch.inference_mode():
        for start in range(0, rows, ROWS):
            n = min(ROWS, rows - start)
            base.unet(noisy[:n], times[:n], states[:n])


@pytest.mark.parametrize("name", ["loss", "clid_th"])
def test_rows_a_second_against_the_bare_network(benchmark, base, pairs, name):
    attack = instantiate("attack", resolve("attack", name))
    rows = attack.queries * len(pairs)
    spent = []

    def before():
        began = time.perf_counter()
        bare_forwards(base, rows)
        spent.append(time.perf_counter() - began)
        return (ModelTarget(base, 0), pairs), {}

    benchmark.pedantic(attack.features, setup=before, rounds=ROUNDS)
    ours, theirs = rows / benchmark.stats["median"], rows / float(np.median(spent))
    benchmark.extra_info |= {
        "rows": rows,
        "rows_per_second": round(ours, 1),
        "bare_rows_per_second": round(theirs, 1),
        "ratio": round(ours / theirs, 2),
    }
    print(benchmark.extra_info)
