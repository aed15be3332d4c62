"""What querying a model through `ModelTarget` costs beside the bare U-Net and the published loop.

The figure to read is `ratio` in extra_info. Beside the bare network: rows a second of the attacks'
own queries, pictures and captions encoded and noise drawn, over those of forwards with everything
at hand. Beside the published style (one picture at a time, three timesteps a forward, five
forwards): how many times faster ours is. Each round measures both, one after the other.
"""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch

from bench.data import tiles
from bench.models import base as bases
from bench.models.base import encode_text, load_base
from bench.models.evaluations import ROWS, Evaluations
from bench.models.target import ModelTarget
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


PAPER = ("loss", "pia", "mc", "secmi", "clid_th", "pfami")


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


def test_all_attacks_of_the_paper_against_the_bare_network(benchmark, base, pairs):
    attacks = [instantiate("attack", resolve("attack", name)) for name in PAPER]
    spent, made = [], []

    def all_attacks(shared):
        for attack in attacks:
            attack.features(ModelTarget(base, 0, shared=shared), pairs)
        made.append(shared.made)

    def before():
        began = time.perf_counter()
        bare_forwards(base, 49 * len(pairs))
        spent.append(time.perf_counter() - began)
        return (Evaluations(base, 0),), {}

    benchmark.pedantic(all_attacks, setup=before, rounds=ROUNDS)
    assert set(made) == {49 * len(pairs)}
    ratio = float(np.median(spent)) / benchmark.stats["median"]
    benchmark.extra_info |= {"rows_a_pair": 49, "ratio": round(ratio, 2)}
    print(benchmark.extra_info)


def test_clid_against_the_published_style_of_loop(benchmark, base, pairs):
    attack = instantiate("attack", resolve("attack", "clid_th"))
    spent = []

    def before():
        began = time.perf_counter()
        one_picture_at_a_time(base, pairs)
        spent.append(time.perf_counter() - began)
        return (ModelTarget(base, 0), pairs), {}

    benchmark.pedantic(attack.features, setup=before, rounds=ROUNDS)
    ratio = float(np.median(spent)) / benchmark.stats["median"]
    benchmark.extra_info |= {"pairs": len(pairs), "ratio": round(ratio, 2)}
    print(benchmark.extra_info)


def one_picture_at_a_time(base, pairs):
    """Encode, noise at three timesteps, and one forward of three rows for each of five captions."""
    times = torch.tensor([440, 450, 460])
    for pair in pairs:
        n = len(pair.caption)
        captions = [
            pair.caption,
            *(pair.caption[i * n // 3 : (i + 1) * n // 3] for i in range(3)),
            "",
        ]
        pixels = torch.from_numpy(np.asarray(pair.image)).permute(2, 0, 1)[None] / 127.5 - 1
        with torch.no_grad():
            clean = base.vae.encode(pixels).latent_dist.sample() * base.scaling_factor
            noise = torch.randn(3, *clean.shape[1:])
            noisy = base.scheduler.add_noise(clean.expand(3, -1, -1, -1), noise, times)
            for caption in captions:
                text = encode_text(base, [caption]).expand(3, -1, -1)
                predicted = base.unet(noisy, times, encoder_hidden_states=text).sample
                torch.nn.functional.mse_loss(predicted, noise).item()
