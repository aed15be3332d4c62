"""Samples, features of real pictures and utility, one after another, recomputed from the files."""

from __future__ import annotations

import numpy as np
import pytest

from bench.data.geometry import centre, resize
from bench.models.base import load_base
from bench.models.target import ModelTarget
from bench.utility.distances import frechet_distance, kernel_distance, project
from bench.utility.features import effnet


@pytest.fixture
def stages(run, split):
    sampling = {"n": 6, "steps": 2, "guidance": 2.0}
    samples = run("samples", {"split": split}, sampling=sampling, at=0)
    real = run("real", {"split": split}, resolution=16)
    inputs = {"split": split, "samples": samples.folder, "real": real.folder}
    return samples, real, run("utility", inputs, at=0)


def stored(done, name):
    with np.load(done.folder / f"{name}.npz", allow_pickle=False) as archive:
        return dict(archive)


def test_utility_is_that_of_the_stored_samples(stages, parts, scene_pairs, tiny_base):
    samples, real, utility = stages
    reference = scene_pairs.select(sorted(parts["reference"]))
    pictures, real_features = stored(samples, "samples"), stored(real, "real")

    assert samples.result == {"n": 6}
    assert pictures["ids"].tolist() == list(reference.ids[:6])
    assert pictures["pictures"].shape == (6, 16, 16, 3)

    assert real.result == {"reference": 8, "auxiliary": 8}
    squares = []
    for pair in reference:
        pixels = resize(pair.image, 16)
        top, left, _ = centre(pixels, 16)
        squares.append(pixels[top : top + 16, left : left + 16])
    np.testing.assert_allclose(real_features["reference"], effnet(np.stack(squares)), rtol=1e-5)

    found = utility.result
    fake, own, other = (
        effnet(pictures["pictures"]),
        real_features["reference"][:6],
        real_features["auxiliary"][:6],
    )
    assert found["n"] == 6
    assert found["fid"] is None
    assert found["kid_effnet"]["value"] == pytest.approx(kernel_distance(own, fake).value)
    assert found["kid_effnet_floor"]["value"] == pytest.approx(kernel_distance(own, other).value)
    for name, one in (("fd_effnet64", fake), ("fd_effnet64_floor", other)):
        assert found[name] == pytest.approx(frechet_distance(project(own), project(one)), rel=1e-6)

    losses = ModelTarget(load_base(tiny_base), seed=0).losses(reference, range(50, 1000, 100))
    held_out = losses.mean(axis=1)
    assert found["held_out_loss"]["value"] == pytest.approx(held_out.mean())
    reach = 1.96 * held_out.std(ddof=1) / 8**0.5
    assert found["held_out_loss"]["high"] == pytest.approx(held_out.mean() + reach)
    np.testing.assert_allclose(stored(utility, "utility")["held_out"], held_out, rtol=1e-6)
