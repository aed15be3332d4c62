"""What querying a model through `ModelTarget` costs beside the bare U-Net and the published loop.

The figure to read is `ratio` in extra_info. Beside the bare network: rows a second of the attacks'
own queries, pictures and captions encoded and noise drawn, over those of forwards with everything
at hand. Beside the published style (one picture at a time; of CLiD five forwards of three
timesteps): how many times faster ours is. Each round measures both, one after the other, in
processor time: the machine may have other work.
"""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch

from bench.data import tiles
from bench.models import base as bases
from bench.models.base import encode_text, load_base
from bench.models.diffusion import ddim_step
from bench.models.evaluations import ROWS, Evaluations
from bench.models.target import ModelTarget
from bench.plugins import instantiate, resolve

pytestmark = pytest.mark.benchmark(timer=time.process_time)

PAIRS = 64
ROUNDS = 5


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
        began = time.process_time()
        bare_forwards(base, rows)
        spent.append(time.process_time() - began)
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
        began = time.process_time()
        bare_forwards(base, 49 * len(pairs))
        spent.append(time.process_time() - began)
        return (Evaluations(base, 0),), {}

    benchmark.pedantic(all_attacks, setup=before, rounds=ROUNDS)
    assert set(made) == {49 * len(pairs)}
    ratio = float(np.median(spent)) / benchmark.stats["median"]
    benchmark.extra_info |= {"rows_a_pair": 49, "ratio": round(ratio, 2)}
    print(benchmark.extra_info)


@pytest.mark.parametrize("name", [*PAPER, "all six"])
def test_against_the_published_style_of_loop(benchmark, base, pairs, name):
    """`all six` share their evaluations, as in a run; the published loops follow one another."""
    names = PAPER if name == "all six" else (name,)
    attacks = [instantiate("attack", resolve("attack", one)) for one in names]
    spent = []

    def ours(shared):
        for attack in attacks:
            attack.features(ModelTarget(base, 0, shared=shared), pairs)

    def before():
        began = time.process_time()
        with torch.no_grad():
            for one in names:
                PUBLISHED[one](base, pairs)
        spent.append(time.process_time() - began)
        return (Evaluations(base, 0),), {}

    benchmark.pedantic(ours, setup=before, rounds=ROUNDS)
    rounds = [round(a / b, 2) for a, b in zip(spent, benchmark.stats.stats.data, strict=True)]
    benchmark.extra_info |= {"pairs": len(pairs), "ratio": float(np.median(rounds))}
    benchmark.extra_info |= {"least": min(rounds), "most": max(rounds)}
    print(name, benchmark.extra_info)


def published_loss(base, pairs):
    """The released script takes sixteen pictures a forward."""
    for start in range(0, len(pairs), 16):
        some = pairs.select(pairs.ids[start : start + 16])
        clean = encoded(base, torch.cat([pixels(pair) for pair in some]))
        noised_losses(base, clean, encode_text(base, list(some.captions)), [450] * len(some))


def published_mc(base, pairs):
    """Three timesteps a forward, as CLiD's first condition."""
    for pair in pairs:
        clean, text = encoded(base, pixels(pair)), encode_text(base, [pair.caption])
        noised_losses(base, clean, text, [440, 450, 460])


def published_clid(base, pairs):
    """One noise at each of three timesteps, and one forward of three rows for each of five texts.

    The released script: one picture at a time, each of its texts encoded alone, float32.
    """
    for pair in pairs:
        n, clean, noise = len(pair.caption), encoded(base, pixels(pair)), None
        thirds = [pair.caption[i * n // 3 : (i + 1) * n // 3] for i in range(3)]
        for caption in (pair.caption, *thirds, ""):
            text = encode_text(base, [caption])
            noise = noised_losses(base, clean, text, [440, 450, 460], noise)


def published_pfami(base, pairs):
    """Ten timesteps a forward, of the picture and of its crop."""
    times = list(range(1, 500, 50))
    for pair in pairs:
        text = encode_text(base, [pair.caption])
        whole = pixels(pair)
        side = whole.shape[-1]
        edge = (side - int(0.825 * side)) // 2
        inner = whole[:, :, edge : side - edge, edge : side - edge]
        crop = torch.nn.functional.interpolate(inner, size=(side, side), mode="bilinear")
        for picture in (whole, crop):
            noised_losses(base, encoded(base, picture), text, times)


def published_pia(base, pairs):
    """Two forwards of one row, the second on what the first said."""
    for pair in pairs:
        clean, text = encoded(base, pixels(pair)), encode_text(base, [pair.caption])
        first = asked(base, clean, [0], text)
        noisy = base.scheduler.add_noise(clean, first, torch.tensor([500]))
        (first - asked(base, noisy, [500], text)).norm(p=4).item()


def published_secmi(base, pairs):
    """Twelve forwards of one row, each on what the one before it said."""
    for pair in pairs:
        z, text = encoded(base, pixels(pair)), encode_text(base, [pair.caption])
        ways = [(t, t + 10) for t in range(0, 110, 10)] + [(110, 100)]
        for start, end in ways:
            before, predicted = z, asked(base, z, [start], text)
            z = ddim_step(z, predicted, base.alpha_bar(start), base.alpha_bar(end))
        (z - before).square().mean().item()


PUBLISHED = {
    "loss": published_loss,
    "pia": published_pia,
    "mc": published_mc,
    "secmi": published_secmi,
    "clid_th": published_clid,
    "pfami": published_pfami,
}


def pixels(pair):
    return torch.from_numpy(np.array(pair.image)).permute(2, 0, 1)[None] / 127.5 - 1


def encoded(base, pictures):
    """One sample of each posterior."""
    return base.vae.encode(pictures).latent_dist.sample() * base.scaling_factor


def asked(base, noisy, times, text):
    """The predicted noise; one text serves all rows."""
    text = text.expand(len(noisy), -1, -1)
    return base.unet(noisy, torch.tensor(times), encoder_hidden_states=text).sample


def noised_losses(base, clean, text, times, noise=None):
    """Losses in one forward, of one latent or of one for each timestep; gives the noise back."""
    clean = clean.expand(len(times), -1, -1, -1)
    noise = torch.randn(clean.shape) if noise is None else noise
    noisy = base.scheduler.add_noise(clean, noise, torch.tensor(times))
    predicted = asked(base, noisy, times, text)
    (predicted - noise).square().flatten(1).mean(dim=1).tolist()
    return noise
