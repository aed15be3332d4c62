"""What makes rows doubtful: the gates that they failed, and controls that are odd."""

from __future__ import annotations

from collections.abc import Sequence

from bench.boards.rows import Row


def suspicions(rows: Sequence[Row]) -> list[str]:
    """A line for each failed gate, with the rows that it fails, and for each odd control."""
    failing: dict[str, list[str]] = {}
    for row in rows:
        for line in row.failed:
            failing.setdefault(line, []).append(f"{row.defense}/{row.attack}")
    found = [
        f"GATE FAILED {'all rows' if len(names) == len(rows) > 1 else ', '.join(names)}: {line}."
        for line, names in failing.items()
    ]
    return found + [_odd(row) for row in rows if _is_odd(row)]


def _is_odd(row: Row) -> bool:
    """Whether the base's AUC is away from one half by itself, though not among all controls."""
    control, gate = row.figure("auc", "base_control"), row.control
    if control is None or gate is None or not gate.passed:
        return False
    return not control.estimate.low <= 0.5 <= control.estimate.high


def _odd(row: Row) -> str:
    control = row.figure("auc", "base_control")
    return (
        f"WARNING {row.defense}/{row.attack}: the base model, which saw no pair, gives AUC "
        f"{control.text(100, 1) if control else ''}: the split itself may separate members from "
        "hold-outs, or the base has seen them (one row in twenty does so by chance)."
    )
