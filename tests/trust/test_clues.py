"""What is read off captions and pictures, and that odd data leave something to read."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from bench.rng import generator
from bench.trust.clues import RANK, caption_clues, picture_clues, picture_statistics

RNG = generator("clues")


def test_captions_that_differ_in_style_only_lie_apart():
    """Words alike; capitals, digits and marks are not."""
    plain = ["a red cat on a mat", "the cat sat on a red mat"] * 20
    marked = [f"{text.upper()}!! {i}" for i, text in enumerate(plain)]
    clues = caption_clues([*plain, *marked])
    assert clues.shape[0] == 80
    assert clues.shape[1] <= RANK
    style = np.arange(80) < 40
    assert max(abs(np.corrcoef(column, style)[0, 1]) for column in clues.T) > 0.9


@pytest.mark.parametrize("captions", [["same words"] * 9, [""] * 9, ["一", "二", "三"] * 3])
def test_captions_without_anything_to_tell_are_no_error(captions):
    clues = caption_clues(captions)
    assert clues.shape[0] == 9
    assert np.isfinite(clues).all()


def test_statistics_are_those_of_the_picture():
    pixels = RNG.integers(0, 256, (20, 40, 3), dtype=np.uint8)
    square = pixels[:, 10:30]
    aspect, area, down, across, packed, *colours = picture_statistics(
        Image.fromarray(pixels), square
    )
    assert aspect == pytest.approx(np.log(2))
    assert area == pytest.approx(np.log(800))
    assert down == pytest.approx(abs(np.diff(pixels.astype(int), axis=0)).mean())
    assert across == pytest.approx(abs(np.diff(pixels.astype(int), axis=1)).mean())
    assert packed > 0.9  # noise does not compress
    assert picture_statistics(Image.new("RGB", (40, 20)), square)[4] < 0.1
    assert colours[:3] == pytest.approx(square.mean(axis=(0, 1)) / 255)
    assert colours[3:] == pytest.approx((square / 255).var(axis=(0, 1)))


def test_both_blocks_of_pictures_weigh_alike():
    """1,280 features do not drown what eleven statistics say."""
    statistics = np.zeros((200, 11))
    statistics[:100, 0] = 1
    clues = picture_clues(statistics.tolist(), RNG.normal(size=(200, 1280)))
    assert abs(np.corrcoef(clues[:, 0], statistics[:, 0])[0, 1]) > 0.95
    assert picture_clues([[1.0, 2.0]] * 5, None).shape == (5, 0)
