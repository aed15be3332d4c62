"""What tells a picture or a caption from others without any model: the blind gates' inputs.

No label is read here, so that all of a split may be described at once, members and hold-outs alike.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

Floats = NDArray[np.float64]
RANK = 50
"""Directions kept: more of them found less of a planted shift on `tiles` (docs/statistics.md)."""
MARKS = ".,;:!?'\"()-"
GRAIN = 256
"""Side of the middle piece in which grain is measured, at the picture's own resolution."""


def caption_clues(captions: Sequence[str]) -> Floats:
    """TF-IDF of words (1-2-grams) and characters (3-5-grams), length, punctuation; (n, r)."""
    words = _tfidf(captions, analyzer="word", ngram_range=(1, 2))
    letters = _tfidf(captions, analyzer="char_wb", ngram_range=(3, 5))
    return _leading([*words, *letters, _standard([_shape(caption) for caption in captions])])


def _tfidf(captions: Sequence[str], **how: Any) -> list[Any]:
    """One sparse block, or none where no two captions share anything."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    try:
        # What stands in one caption only says nothing about any other.
        return [TfidfVectorizer(sublinear_tf=True, min_df=2, **how).fit_transform(captions)]
    except ValueError:
        return []


def _shape(caption: str) -> list[int]:
    kinds = (str.isdigit, str.isupper, lambda letter: not letter.isascii())
    return [
        len(caption),
        len(caption.split()),
        *(caption.count(mark) for mark in MARKS),
        *(sum(map(kind, caption)) for kind in kinds),
    ]


def picture_statistics(image: Image, square: NDArray[np.uint8]) -> list[float]:
    """Size and shape of a picture, its grain, and colour means and variances of its square."""
    width, height = image.size
    left, top = max(0, (width - GRAIN) // 2), max(0, (height - GRAIN) // 2)
    piece = image.crop((left, top, min(width, left + GRAIN), min(height, top + GRAIN)))
    pixels = np.asarray(piece.convert("RGB"), dtype=np.uint8)
    steps = [float(np.abs(np.diff(pixels.astype(float), axis=axis)).mean()) for axis in (0, 1)]
    colours = square.astype(float) / 255
    return [
        float(np.log(width / height)),
        float(np.log(width * height)),
        *steps,
        # How far it compresses stands in for the file's size and format, which pairs do not tell.
        len(zlib.compress(pixels.tobytes(), 1)) / pixels.size,
        *colours.mean(axis=(0, 1)),
        *colours.var(axis=(0, 1)),
    ]


def picture_clues(statistics: Iterable[Sequence[float]], features: Floats | None) -> Floats:
    """Statistics and, where given, a network's picture features (n, d); (n, r)."""
    return _leading(
        [_standard(list(statistics)), *([] if features is None else [_standard(features)])]
    )


def _standard(rows: Any) -> Floats:
    """Columns of mean 0 and variance 1; those that never vary are left out."""
    table = np.asarray(rows, dtype=np.float64)
    spread = table.std(axis=0)
    varying = spread > 1e-9 * (1 + np.abs(table).max(axis=0))
    return np.asarray((table - table.mean(axis=0))[:, varying] / spread[varying])


def _leading(blocks: Sequence[Any]) -> Floats:
    """The leading principal components of all blocks side by side, each of total variance 1."""
    from scipy.sparse import csr_array, hstack
    from sklearn.decomposition import PCA

    told = [csr_array(block) for block in blocks if block.shape[1]]
    scaled = [block / np.sqrt(total) for block in told if (total := _variance(block)) > 1e-9]
    if not scaled:
        return np.empty((blocks[0].shape[0], 0))
    table = hstack(scaled, format="csr")
    rank = min(RANK, *(size - 1 for size in table.shape))
    if rank < 1:
        return np.asarray(table.toarray())
    return np.asarray(PCA(rank, svd_solver="arpack", random_state=0).fit_transform(table))


def _variance(block: Any) -> float:
    """Mean squared distance of the rows from their mean."""
    return float((block.multiply(block)).sum() / block.shape[0] - (block.mean(axis=0) ** 2).sum())
