"""Which code wrote an entry: the commit of the checkout, and whether it was changed since."""

from __future__ import annotations

import subprocess
from pathlib import Path

from bench import __version__
from bench.entries.schema import Provenance

HOME = Path(__file__).resolve().parents[2]
MEASURING = ("bench", "attacks", "defenses", "pyproject.toml")
"""What decides about figures; a changed page or board does not make the code dirty."""


def provenance() -> Provenance:
    """Version, commit and dirty flag; the last two None where this is no checkout."""
    # A wheel inside somebody else's repository must not borrow that one's commit.
    tracked = _git("ls-files", "bench/__init__.py")
    commit = _git("rev-parse", "HEAD") if tracked else None
    if not commit:
        return Provenance(bench=__version__, commit=None, dirty=None)
    changed = _git("status", "--porcelain", "--", *MEASURING)
    return Provenance(bench=__version__, commit=commit, dirty=changed != "")


def _git(*words: str) -> str | None:
    try:
        # Fixed words and no shell; git is looked for where the user's shell would.
        command = ["git", *words]
        done = subprocess.run(  # noqa: S603
            command, cwd=HOME, capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
