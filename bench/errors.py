"""What can go wrong, and the exit code that says so.

    BenchError               1   at least one cell failed; the others are saved
    +-- UsageError           2   usage, configuration or plugin look-up; nothing ran
    +-- ValidationError      3   a split, a result or a board does not hold
    +-- OfflineError         4   an asset is missing and may not be fetched
    +-- BudgetError          5   disk, memory or time is spent; resumable

A message is one line that says what is wrong, where, and what to do next.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

INTERRUPTED = 130


class BenchError(Exception):
    """A failure that the user can act on; printed as one line, never as a traceback."""

    exit_code = 1


class UsageError(BenchError):
    """Wrong name, parameter, option or file: nothing was run."""

    exit_code = 2
    named = ""
    """The name that does not exist, where that is what is wrong."""


class ValidationError(BenchError):
    """Data or a result that does not pass a check."""

    exit_code = 3


class OfflineError(BenchError):
    """A model or a data set that is not on this machine and may not be fetched."""

    exit_code = 4


class BudgetError(BenchError):
    """Disk, memory or time is spent; the same command goes on where it stopped."""

    exit_code = 5
    failed: Mapping[str, BenchError] = {}
    """What had failed before, by key."""


class UnsentError(BudgetError):
    """All is computed and some of it did not reach the bucket; the same command sends it."""


def unknown(kind: str, name: str, known: Iterable[str], hint: str = "") -> UsageError:
    """The error for a name that does not exist, with the nearest ones that do."""
    names = sorted(set(known))
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    near += [n for n in names if name and n.startswith(name) and n not in near]
    tail = f"did you mean {', '.join(near[:3])}?" if near else f"known: {_listed(names)}"
    error = UsageError(f"no {kind} named '{name}'; {tail}{' ' + hint if hint else ''}")
    error.named = name
    return error


def _listed(names: list[str], most: int = 20) -> str:
    more = [f"and {len(names) - most} more"] if len(names) > most else []
    return ", ".join([*names[:most], *more]) or "none"
