"""A path as it was typed."""

from __future__ import annotations

from pathlib import Path


def expanded(path: str | Path) -> Path:
    """With the user's home for `~`; that of a user who does not exist stays, as a shell leaves it.

    It then names a file that is not there, which is told as any such file is.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)
