"""What a gate says: its name, whether it is passed, and the figures that decided it."""

from __future__ import annotations

from typing import Any, NamedTuple


class Gate(NamedTuple):
    """One verdict, as it stands in a row (`_asdict()` is JSON)."""

    name: str
    passed: bool
    figures: dict[str, Any]
