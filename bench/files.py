"""Files that are written whole, folders that can be written, and disks that are full."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.errors import BudgetError, UsageError


def file_digest(path: Path) -> str:
    """sha256 of a file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def write_atomic(path: Path, data: bytes) -> None:
    """Whole or not at all: written beside its place, flushed to disk, renamed into it."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with beside.open("wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())
    beside.replace(path)


def is_full(error: BaseException) -> bool:
    """Whether a disk, or somebody's share of it, is full."""
    # safetensors has an error type of its own that only names the system's number.
    number = getattr(error, "errno", None)
    return number in (errno.ENOSPC, errno.EDQUOT) or "os error 28" in str(error)


@contextmanager
def full_disk_is_told(where: Path) -> Iterator[None]:
    """Turns a full disk into one clear line."""
    try:
        yield
    except Exception as error:
        if is_full(error):
            raise BudgetError(
                f"no space left under {where}; free some or name another place with --store, "
                "then run the same command: finished stages are kept"
            ) from error
        raise


def make_folder(place: Path, option: str) -> Path:
    """The folder, made if need be; UsageError naming the option if it cannot be written."""
    try:
        with full_disk_is_told(place):
            place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"cannot make folder {place} ({error.strerror}); name another with {option}"
        ) from None
    if not os.access(place, os.W_OK):
        raise UsageError(f"folder {place} may not be written; name another with {option}")
    return place


def flush(path: Path) -> None:
    """Asks the system to put a file or a folder's entries on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
