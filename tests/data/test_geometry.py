"""From a picture to the square that a model reads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bench.data.geometry import Crop, Squares, centre, cut, draw, resize
from bench.data.pairs import Pairs
from bench.rng import generator

PINNED = [(4, 6, True), (1, 0, False), (2, 4, True), (2, 4, True)]
FOLLOWING = 339


def numbered(height: int, width: int) -> Image.Image:
    """Every pixel says where it is: (row, column, 0)."""
    rows, columns = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([rows, columns, 0 * rows], axis=2).astype(np.uint8))


@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from([8, 16, 32]), st.integers(0, 4))
def test_shorter_side_is_the_resolution_whatever_the_picture(width, height, side, margin):
    pixels = resize(Image.new("RGB", (width, height)), side, margin)
    inner = np.array(pixels.shape[:2]) - 2 * margin
    assert inner.min() == side
    assert abs(inner.max() - side * max(width, height) / min(width, height)) <= 0.5
    assert (inner[1] >= inner[0]) == (width >= height) or inner[0] == inner[1]
    middle = centre(pixels, side)
    assert cut(pixels, middle, side).shape == (3, side, side)


def test_scaling_is_bilinear_as_in_the_published_script():
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8))
    wanted = np.asarray(picture.resize((48, 32), Image.Resampling.BILINEAR))
    assert np.array_equal(resize(picture, 32), wanted)


def test_a_picture_of_the_right_size_is_not_touched():
    assert np.array_equal(resize(numbered(16, 16), 16), np.asarray(numbered(16, 16)))


@pytest.mark.parametrize("size", [(16, 16), (16, 40), (40, 16)])
def test_margin_repeats_the_edges_of_square_and_oblong_pictures(size):
    pixels = resize(numbered(*size), 16, margin=3)
    assert pixels.shape == (size[0] + 6, size[1] + 6, 3)
    rows, columns = np.mgrid[-3 : size[0] + 3, -3 : size[1] + 3]
    assert np.array_equal(pixels[..., 0], rows.clip(0, size[0] - 1))
    assert np.array_equal(pixels[..., 1], columns.clip(0, size[1] - 1))


@pytest.mark.parametrize("size", [(16, 16), (16, 40), (40, 17)])
@pytest.mark.parametrize("margin", [1, 2, 5])
def test_margin_does_not_move_the_middle(size, margin):
    plain, padded = resize(numbered(*size), 16), resize(numbered(*size), 16, margin)
    same = [cut(pixels, centre(pixels, 16), 16) for pixels in (plain, padded)]
    assert np.array_equal(*same)


def test_no_augmentation_never_flips_or_leaves_the_middle():
    pixels = resize(numbered(16, 40), 16, margin=2)
    for visit in range(50):
        assert draw(pixels, 16, "none", generator(visit)) == Crop(2, 14, flip=False)


@pytest.mark.parametrize(
    ("size", "margin", "tops", "lefts"),
    [((16, 16), 2, 5, 5), ((16, 40), 0, 1, 25), ((40, 16), 0, 25, 1), ((16, 24), 1, 3, 11)],
)
def test_every_crop_and_both_sides_are_drawn_equally_often(size, margin, tops, lefts):
    pixels = resize(numbered(*size), 16, margin)
    n = 400 * max(tops, lefts)
    crops = [draw(pixels, 16, "default", generator("crop", visit)) for visit in range(n)]
    for values, possible in (
        ([c.top for c in crops], tops),
        ([c.left for c in crops], lefts),
        ([int(c.flip) for c in crops], 2),
    ):
        counts = np.bincount(values, minlength=possible)
        assert len(counts) == possible
        assert abs(counts - n / possible).max() < 5 * (n / possible) ** 0.5


def test_the_draws_of_the_old_augmentations_have_not_moved():
    """Trainings that were made with them must stay the same to the bit."""
    pixels, rng = resize(numbered(16, 24), 16, margin=2), generator("pinned")
    drawn = [draw(pixels, 16, "default", rng) for _ in range(4)]
    assert drawn == PINNED
    assert int(rng.integers(1000)) == FOLLOWING
    rng = generator("pinned")
    draw(pixels, 16, "none", rng)
    assert int(rng.integers(1000)) == int(generator("pinned").integers(1000))


def test_what_lies_between_makes_the_same_draws_and_uses_its_part():
    pixels = resize(numbered(16, 40), 16, margin=2)
    for visit in range(60):
        rngs = [generator(visit) for _ in range(3)]
        usual, middle, shifted = (
            draw(pixels, 16, augment, rng)
            for augment, rng in zip(("default", "center", "script"), rngs, strict=True)
        )
        assert middle == Crop(2, 14, usual.flip)
        assert shifted == Crop(usual.top, usual.left, flip=False)
        assert len({int(rng.integers(10**9)) for rng in rngs}) == 1


def test_a_square_picture_without_margin_knows_no_crop():
    pixels = resize(numbered(16, 16), 16)
    crops = {draw(pixels, 16, "default", generator(visit)) for visit in range(30)}
    assert crops == {Crop(0, 0, flip=False), Crop(0, 0, flip=True)}


def test_the_square_begins_where_the_crop_says():
    square = cut(np.asarray(numbered(20, 30)), Crop(3, 7, flip=False), 16)
    assert np.allclose((square[0, :, 0] + 1) * 127.5, np.arange(3, 19), atol=1e-4)
    assert np.allclose((square[1, 0] + 1) * 127.5, np.arange(7, 23), atol=1e-4)


def test_a_flip_mirrors_left_and_right_after_the_crop():
    pixels = np.asarray(numbered(20, 30))
    plain, mirrored = (cut(pixels, Crop(3, 7, flip=flip), 16) for flip in (False, True))
    assert np.array_equal(mirrored, plain[:, :, ::-1])


def test_black_is_minus_one_and_white_is_one():
    shades = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    square = cut(shades, Crop(0, 0, flip=False), 16)
    assert square.dtype == np.float32
    assert square[0, 0, 0] == -1
    assert square[0, -1, -1] == 1
    assert np.allclose(np.diff(square[0].ravel()), 2 / 255, atol=1e-6)


def test_squares_are_made_a_slice_at_a_time() -> None:
    opened: list[str] = []

    def picture(id_: str) -> Image.Image:
        opened.append(id_)
        return Image.new("RGB", (6, 4), (int(id_), 0, 0))

    ids = tuple(map(str, range(5)))
    squares = Squares(Pairs(ids, ids, ids, picture), 4)
    assert len(squares) == 5
    some = squares[2:4]
    assert opened == ["2", "3"]
    assert some.shape == (2, 4, 4, 3)
    assert some[:, 0, 0, 0].tolist() == [2, 3]
