"""Strong augmentation: what is drawn, and what the square then shows."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from bench.data.geometry import cut, draw
from bench.data.strong import GREY, Strong, draw_strong, rendered
from bench.rng import generator

STILL = Strong((0, 0, 32, 32), False, 1.0, 1.0, 1.0, 0.0, row=-99, column=-99)
"""Draws that change nothing."""


def picture(height=32, width=32):
    return generator("picture").integers(0, 256, (height, width, 3), dtype=np.uint8)


def drawn(n, pixels, side=32):
    return [draw_strong(pixels, side, generator("strong", i)) for i in range(n)]


@pytest.mark.parametrize("size", [(32, 32), (32, 43), (40, 32)])
def test_crops_lie_inside_and_have_half_to_all_of_the_area(size):
    shares, ratios = [], []
    for one in drawn(500, picture(*size)):
        top, left, height, width = one.box
        assert top >= 0
        assert left >= 0
        assert top + height <= size[0]
        assert left + width <= size[1]
        shares.append(height * width / (size[0] * size[1]))
        ratios.append(width / height)
    assert 0.45 < min(shares) < 0.55
    assert 0.9 < max(shares) <= 1
    assert 0.7 < min(ratios) < 0.85
    assert 1.2 < max(ratios) < 1.4


def test_every_place_of_a_crop_is_as_likely():
    rooms = [(one.box[0], 32 - one.box[2]) for one in drawn(4000, picture()) if one.box[2] < 32]
    places = [(top + generator("within", i).random()) / (room + 1)
              for i, (top, room) in enumerate(rooms)]  # fmt: skip
    assert stats.kstest(places, "uniform").pvalue > 1e-3


def test_a_picture_that_no_crop_fits_gives_its_middle():
    assert {one.box for one in drawn(50, picture(32, 200))} == {(0, 78, 32, 43)}
    assert {one.box for one in drawn(50, picture(200, 32))} == {(78, 0, 43, 32)}


def test_factors_and_places_follow_their_laws():
    some = drawn(2000, picture())
    for part in ("brightness", "contrast", "saturation"):
        values = [getattr(one, part) for one in some]
        assert stats.kstest(values, stats.uniform(0.6, 0.8).cdf).pvalue > 1e-3
    assert stats.kstest([o.hue for o in some], stats.uniform(-0.1, 0.2).cdf).pvalue > 1e-3
    for part in ("row", "column"):
        counts = np.bincount([getattr(one, part) for one in some], minlength=32)
        assert len(counts) == 32
        assert stats.chisquare(counts).pvalue > 1e-3
    assert abs(sum(one.flip for one in some) - 1000) < 4 * 500**0.5


def test_no_two_visits_look_alike():
    pixels = picture()
    squares = {draw(pixels, 32, "strong", generator("visit", i)) for i in range(200)}
    assert len(squares) == 200
    assert len({cut(pixels, one, 32).tobytes() for one in squares}) == 200


def test_neutral_draws_show_the_picture():
    # The way to hues and back costs a few levels; seen: 6.
    assert np.abs(rendered(picture(), STILL, 32).astype(int) - picture()).max() <= 8
    mirrored = cut(picture(), STILL._replace(flip=True), 32)
    assert np.array_equal(mirrored, cut(picture(), STILL, 32)[:, :, ::-1])
    assert mirrored.dtype == np.float32


def test_a_crop_is_scaled_to_the_square():
    part = np.full((40, 40, 3), 10, dtype=np.uint8)
    part[8:32, 5:35] = 200
    inside = rendered(part, STILL._replace(box=(8, 5, 24, 30)), 32)
    assert inside.shape == (32, 32, 3)
    assert (inside == 200).all()
    assert (rendered(part, STILL._replace(box=(7, 5, 24, 30)), 32)[0] < 200).all()
    rows, columns = np.mgrid[:40, :40].astype(np.uint8)
    for axis, ramp, edges in ((0, rows, (8, 31)), (1, columns, (5, 34))):
        grey = np.stack([6 * ramp] * 3, axis=2)
        line = rendered(grey, STILL._replace(box=(8, 5, 24, 30)), 32)[..., 0].mean(axis=1 - axis)
        assert line[[0, -1]] / 6 == pytest.approx(edges, abs=0.5)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"brightness": 0.5}, (100, 40, 40)),
        ({"saturation": 0.0}, (116, 116, 116)),  # 0.299 200 + 0.701 80
        ({"contrast": 0.0}, (116, 116, 116)),
        ({"hue": 1 / 3}, (80, 200, 80)),
        ({"hue": -1 / 3}, (80, 80, 200)),
    ],
)
def test_colours_move_as_they_should(change, expected):
    red = np.full((32, 32, 3), (200, 80, 80), dtype=np.uint8)
    found = rendered(red, STILL._replace(**change), 32)
    assert np.abs(found.astype(int) - expected).max() <= 3


@pytest.mark.parametrize(
    ("row", "column", "rows", "columns"),
    [(16, 16, (8, 24), (8, 24)), (0, 31, (0, 8), (23, 32)), (30, 3, (22, 32), (0, 11))],
)
def test_the_hole_is_a_quarter_about_its_centre_and_may_hang_over(row, column, rows, columns):
    white = np.full((32, 32, 3), 255, dtype=np.uint8)
    hole = (rendered(white, STILL._replace(row=row, column=column), 32) == GREY).all(axis=2)
    wanted = np.zeros((32, 32), dtype=bool)
    wanted[slice(*rows), slice(*columns)] = True
    assert np.array_equal(hole, wanted)
    assert abs(GREY / 127.5 - 1) < 0.005


def test_sizes_are_those_of_the_base():
    pixels = np.asarray(Image.fromarray(picture(48, 64)))
    one = draw(pixels, 16, "strong", generator("size"))
    assert cut(pixels, one, 16).shape == (3, 16, 16)
    assert np.abs(cut(pixels, one, 16)).max() <= 1
