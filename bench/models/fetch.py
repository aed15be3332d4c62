"""Gets a base from the hub ahead of a run, or looks whether one that is here is whole."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from bench.hub import pinned, verify
from bench.models.base import base_folder, base_identity
from bench.models.files import listed, read_files


class Fetched(NamedTuple):
    """A base on this machine, whole."""

    name: str
    """As it is to be asked for to have this very one."""
    folder: Path
    files: int
    size: int
    """Bytes of the files that runs read."""
    identity: str


def fetch_base(name: str, variant: str | None = None, offline: bool = False) -> Fetched:
    """The base by name, path or name on the hub, downloaded if need be, with its bytes checked.

    Raises:
        OfflineError: it is not here and cannot be fetched.
        UsageError: it is no base that this suite can do with.
        ValidationError: a file's bytes are not those that the hub has.
    """
    folder = base_folder(name, variant, offline)
    files = read_files(listed(folder), variant, name)
    verify(folder, files)
    size = sum((folder / file).stat().st_size for file in files)
    return Fetched(pinned(name), folder, len(files), size, base_identity(folder, variant))
