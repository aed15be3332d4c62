"""Whether the numbers in files of weights can be a model's: floating-point, and finite."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.errors import UsageError

PLACES = "position_ids"
"""The numbers 0 to 76 that older text encoders carry: the only integers there may be."""


def check_floats(paths: Iterable[Path]) -> None:
    """UsageError for a tensor of whole numbers, from the files' headers alone.

    Libraries would turn it into floating-point without a word: a model of zeros and ones.
    """
    from safetensors import SafetensorError, safe_open

    for path in paths:
        try:
            with safe_open(path, "pt") as file:
                kinds = {name: file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError):
            continue  # whoever loads it says so
        for name, kind in kinds.items():
            if not kind.startswith(("F", "BF")) and not name.endswith(PLACES):
                raise UsageError(
                    f"{path}: {name} is of type {kind}, no floating-point number; save the model "
                    "in float32, float16 or bfloat16"
                )


def not_finite(model: Any) -> str | None:
    """Name of a weight that is not finite; None if there is none."""
    for name, value in model.state_dict().items():
        # One pass without a copy: what is not finite stays so in the sum.
        if not value.sum().isfinite() and not value.isfinite().all():
            return str(name)
    return None
