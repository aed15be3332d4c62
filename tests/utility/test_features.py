"""EfficientNet-Lite0 features: deterministic, a picture at a time, and able to see."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter

from bench.data import tiles
from bench.utility import features
from bench.utility.distances import frechet_distance, kernel_distance, project
from bench.utility.features import effnet

N = 24


@pytest.fixture(scope="module")
def pictures():
    """Two sets of clean tiles, and the second one blurred."""
    pairs = tiles.pairs()
    chosen = np.random.default_rng(0).permutation(len(pairs))[: 2 * N]
    clean = [pairs.image(pairs.ids[i]) for i in chosen]
    blurred = [image.filter(ImageFilter.GaussianBlur(1.5)) for image in clean[N:]]
    return np.stack([np.asarray(image) for image in [*clean, *blurred]])


@pytest.fixture(scope="module")
def seen(pictures):
    return effnet(pictures)


def test_features_are_1280_finite_numbers_a_picture(seen):
    assert seen.shape == (3 * N, 1280)
    assert seen.dtype == np.float64
    assert np.isfinite(seen).all()
    assert len(np.unique(seen.round(6), axis=0)) == 3 * N


def test_features_are_deterministic(pictures, seen):
    assert np.array_equal(effnet(pictures[:16]), seen[:16])


def test_features_do_not_depend_on_the_batch(pictures, seen, monkeypatch):
    monkeypatch.setattr(features, "BATCH", 5)
    np.testing.assert_allclose(effnet(pictures[3:11]), seen[3:11], rtol=1e-4, atol=1e-5)


def test_progress_ends_at_the_number_of_pictures(pictures):
    told = []
    effnet(pictures[:18], lambda done, of: told.append((done, of)))
    assert told == [(16, 18), (18, 18)]


def test_blurred_pictures_are_further_than_clean_ones(seen):
    reference, clean, blurred = seen[:N], seen[N : 2 * N], seen[2 * N :]
    kid = [kernel_distance(reference, other) for other in (clean, blurred)]
    assert kid[0].low <= 0 <= kid[0].high
    assert kid[1].low > kid[0].value
    fd = [frechet_distance(project(reference), project(other)) for other in (clean, blurred)]
    assert fd[1] > 1.2 * fd[0]


def test_the_network_sees_what_it_was_trained_to_see():
    """A photograph of a flower is one: the weights and the input's scale are the right ones."""
    import torch
    from sklearn.datasets import load_sample_image

    photograph = Image.fromarray(load_sample_image("flower.jpg")).crop((107, 0, 534, 427))
    pooled = effnet(np.asarray(photograph.resize((224, 224)))[None])
    with torch.inference_mode():
        classes = features._network()._fc(torch.from_numpy(pooled).float())
    assert int(classes.argmax()) == 985  # daisy
