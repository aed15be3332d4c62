"""Arguments are checked once, at the door: one line that names the argument."""

import math
import operator
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def score_array(values: ArrayLike, name: str) -> FloatArray:
    """One score a pair as float64 (n,); equal float16 or float32 scores stay equal."""
    try:
        array = np.asarray(values)
    except ValueError:
        raise ValueError(f"{name}: expected one array of numbers, got a ragged sequence") from None
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{name}: expected real numbers, got dtype {array.dtype}")
    if array.ndim != 1:
        raise ValueError(f"{name}: expected shape (n,), got {array.shape}")
    if array.size == 0:
        raise ValueError(f"{name}: no scores")
    array = array.astype(np.float64)
    if bad := int(np.count_nonzero(~np.isfinite(array))):
        raise ValueError(f"{name}: {bad} of {array.size} scores are NaN or infinite")
    return array


def score_pair(members: ArrayLike, holdouts: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Both classes, checked."""
    return score_array(members, "members"), score_array(holdouts, "holdouts")


def rate(value: float, name: str = "fpr") -> Fraction:
    """The decimal that was written, in [0, 1): 0.29 is 29/100, so that floor(0.29 * 100) is 29."""
    if not 0.0 <= value < 1.0:
        raise ValueError(f"{name}: expected 0 <= {name} < 1, got {value}")
    return Fraction(repr(float(value)))


def tail(level: float, name: str = "level") -> float:
    """alpha = 1 - level, for a level inside (0, 1)."""
    if not 0.0 < level < 1.0:
        raise ValueError(f"{name}: expected 0 < {name} < 1, got {level}")
    return 1.0 - level


def count(value: int, name: str, at_least: int = 1) -> int:
    """A whole number (numpy's too) that is not below `at_least`."""
    try:
        whole = operator.index(value)
    except TypeError:
        raise ValueError(f"{name}: expected a whole number, got {value!r}") from None
    if whole < at_least:
        raise ValueError(f"{name}: expected at least {at_least}, got {whole}")
    return whole


def threshold_value(value: float, name: str = "threshold") -> float:
    """Any number but NaN; an infinite threshold calls everybody or nobody a member."""
    if math.isnan(value):
        raise ValueError(f"{name}: is NaN")
    return float(value)


def not_empty(values: Sequence[object], name: str) -> None:
    """At least one."""
    if len(values) == 0:
        raise ValueError(f"{name}: none given")
