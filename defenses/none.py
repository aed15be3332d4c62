"""No defense: the row that all others are held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bench.api import Defense


@dataclass
class NoDefense(Defense):
    """The captions as they are; image augmentation is an axis of its own (`--augment`).

    Row "None" of Table 5 in Zhai et al. 2024 (arXiv 2405.14800), which already has the default
    augmentation.
    """

    name: ClassVar[str] = "none"
    paper: ClassVar[str] = "Zhai et al., NeurIPS 2024, Table 5"
