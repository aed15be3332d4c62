"""The figures of CLiD as printed: Zhai et al., NeurIPS 2024, arXiv 2405.14800.

ASR, AUC and TPR@1%FPR in per cent; the paper's TPR is the swapped one (its evaluator takes
hold-outs for the positive class). FID is of 10,000 pictures for unseen MS-COCO captions. A known
error of print is kept: PIA's Flickr cells of Table 1 repeat its COCO cells. Changes that the paper
prints are left out, since two of them are not the differences of its columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Printed(NamedTuple):
    """What the paper prints of one row."""

    asr: float
    auc: float
    tpr: float
    fid: float | None = None


Column = Mapping[str, Printed]
"""Rows of one column group, by the attack or defense as it is named here."""

TH, VEC = "clid_th[reduction=importance]", "clid_vec[reduction=importance]"
"""The paper's default reduction (appendix D.2)."""
ATTACKS = ("loss", "pia", "mc", "secmi", "pfami", TH, VEC)


def _column(text: str, names: tuple[str, ...] = ATTACKS) -> Column:
    """`ASR AUC TPR` a row, rows apart by semicolons, in the order of the names."""
    rows = [Printed(*map(float, row.split())) for row in text.split(";")]
    return MappingProxyType(dict(zip(names, rows, strict=True)))


OVER = {
    "coco": _column(
        "81.92 89.98 32.28; 68.56 75.12 5.08; 82.04 89.77 36.04; 83.00 90.81 50.64;"
        "94.48 98.60 78.00; 99.08 99.94 99.12; 99.74 99.31 95.20"
    ),
    "flickr": _column(
        "81.90 90.34 40.80; 68.56 75.12 5.08; 83.32 91.37 41.20; 62.96 89.29 48.52;"
        "90.64 96.78 50.96; 91.42 97.39 74.00; 91.78 97.52 73.88"
    ),
    "pokemon": _column(
        "83.76 91.79 25.77; 83.37 90.95 13.31; 79.35 86.78 23.74; 80.49 90.64 9.36;"
        "89.86 95.70 65.35; 97.96 99.28 97.84; 97.36 99.46 96.88"
    ),
}
"""Table 1, by data."""
REAL = {
    "coco": _column(
        "56.28 61.89 1.92; 54.10 55.52 1.76; 57.98 61.97 2.64; 60.94 65.40 3.92;"
        "57.36 60.39 2.72; 88.88 96.13 67.52; 89.52 96.30 66.36"
    ),
    "flickr": _column(
        "54.91 56.60 1.83; 51.96 52.73 1.28; 54.92 56.78 2.16; 55.60 63.85 2.76;"
        "54.68 56.13 1.80; 87.12 94.74 53.56; 88.86 95.33 53.92"
    ),
    "pokemon": _column(
        "61.03 65.96 2.82; 58.34 59.95 2.64; 61.10 66.48 3.84; 61.28 65.56 0.84;"
        "58.94 63.53 5.76; 86.79 93.28 61.39; 85.47 92.61 59.95"
    ),
}
"""Table 2, by data."""
PRETRAINED = _column(
    "51.78 50.90 1.75; 52.13 52.42 1.25; 53.18 53.96 1.25; 57.43 58.59 2.45; 59.08 61.11 1.45;"
    "64.53 67.82 5.01",
    ATTACKS[:-1],
)
"""Table 3."""
AUGMENTED = ("loss", "pia", "secmi", "pfami", TH)
NO_AUGMENTATION = _column(
    "66.54 72.73 7.72; 56.56 59.28 2.00; 72.02 81.07 13.72; 79.20 87.05 18.44; 96.76 99.47 91.72",
    AUGMENTED,
)
"""Table 4, left; its right half is Table 2's."""
DEFENSES = MappingProxyType(
    {
        "none": Printed(88.88, 96.13, 67.52, 13.17),
        "reph": Printed(85.32, 93.83, 55.67, 13.58),
        "del1": Printed(86.40, 93.59, 59.52, 13.18),
        "del3": Printed(83.91, 91.52, 52.03, 12.92),
        "shuffle": Printed(65.89, 67.37, 0.15, 18.26),
    }
)
"""Table 5: CLiD_th on MS-COCO."""
PSEUDO_OVER = _column(
    "73.80 81.01 9.71; 61.40 65.75 1.20; 74.36 81.55 11.28; 82.04 88.97 40.80; 91.56 95.16 68.16;"
    "92.84 95.43 72.36; 93.26 96.59 71.73"
)
PSEUDO_REAL = _column(
    "56.08 58.47 1.60; 53.44 54.38 1.52; 56.68 60.00 1.28; 60.48 64.04 3.28; 58.12 59.77 2.64;"
    "76.16 83.27 19.76; 77.76 84.48 18.06"
)
"""Table 6."""
REDUCTIONS = _column(
    "85.10 93.60 42.96; 88.02 95.90 66.53; 86.58 94.79 56.78; 88.88 96.13 67.52",
    ("clid_th[reduction=null]", "clid_th", "clid_th[reduction=noise]", TH),
)
"""Table D.1."""
