"""How an entry is written, and the digests that say where somebody changed it since."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from bench.specs import canonical

SPLIT_UP = ("attackers", "seeds", "digests")
"""Sections that have more than one digest, or none."""


def text_of(document: Mapping[str, Any]) -> str:
    """The one way an entry is written: a field a line, ASCII, no NaN."""
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def digest(value: Any) -> str:
    """sha256 of the canonical JSON."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def digests(document: Mapping[str, Any]) -> dict[str, str]:
    """A digest for every part of the document, by words that say where it is."""
    found = {key: digest(value) for key, value in document.items() if key not in SPLIT_UP}
    for number, attacker in enumerate(document["attackers"]):
        found[f"attacker {number}"] = digest(attacker)
    for number, seed in enumerate(document["seeds"]):
        where = f"seed {seed['seed']}"
        if f"{where}: seed" in found:  # a seed given twice is told by another check
            where = f"seed {seed['seed']} ({number})"
        for key, value in seed.items():
            if key != "attackers":
                found[f"{where}: {key}"] = digest(value)
        for i, outcome in enumerate(seed["attackers"]):
            found[f"{where}: attacker {i}"] = digest(outcome)
    return found


def sealed(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with its digests, last."""
    rest = {key: value for key, value in document.items() if key != "digests"}
    return rest | {"digests": digests(rest)}
