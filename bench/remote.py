"""A store in a bucket, or wherever fsspec writes: its files by name, and nothing cleverer.

    <url>/stages/<kind>/<key>/    artefacts, and record.json, which is written last
    <url>/runs/<id>.json          what was asked
    <url>/logs/<id>-<host>.log    what was said

A stage is there once its record is, so a reader sees all of it or nothing. **Nobody is excluded:**
an object store has no locks, so two machines may compute one stage at a time. Equal keys have equal
results, and whoever writes last replaces a stage by the same one. Lost connections are tried again
as the library of each store does it (botocore: with growing pauses); then there is one error.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.errors import OfflineError, UsageError
from bench.files import is_full

LISTED = 30.0
"""Seconds for which a listing is believed."""
EXTRA = {"s3": "remote", "s3a": "remote"}
"""The extra of this package that brings a protocol."""


def is_url(place: object) -> bool:
    """Whether this names a store that is no folder."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", str(place)) is not None


class Remote:
    """Reads and writes below one URL; OfflineError where it cannot be reached."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._fs, self._root = _opened(self.url)
        self._listings: dict[str, tuple[float, set[str]]] = {}

    def keys(self, kind: str) -> set[str]:
        """Of the stages of a kind, as of the last half minute."""
        at, found = self._listings.get(kind, (0.0, set()))
        if not at or time.monotonic() - at > LISTED:
            ended = re.compile(r"/([0-9a-f]{64})/record\.json$")
            names = (ended.search(name) for name in self._names(f"stages/{kind}"))
            at, found = time.monotonic(), {name[1] for name in names if name}
            self._listings[kind] = at, found
        return found

    def notes(self) -> list[str]:
        """Ids of the runs."""
        found = (re.search(r"/([0-9a-z]+)\.json$", name) for name in self._names("runs"))
        return [name[1] for name in found if name]

    def read(self, name: str) -> bytes | None:
        """A small file; None if there is none."""
        with self._told("read"):
            try:
                content: bytes = self._fs.cat_file(f"{self._root}/{name}")
            except FileNotFoundError:
                return None
        return content

    def fetch(self, kind: str, key: str, names: Sequence[str], folder: Path) -> None:
        """Artefacts of a stage into a folder; one that is missing stays away."""
        for name in names:
            with self._told("read"):
                try:
                    self._fs.get_file(self._of(kind, key, name), str(folder / name))
                except FileNotFoundError:
                    (folder / name).unlink(missing_ok=True)

    def push(self, kind: str, key: str, folder: Path) -> None:
        """A finished stage: artefacts, then the record that makes it one."""
        names = sorted(path.name for path in folder.iterdir() if path.name != "record.json")
        for name in (*names, "record.json"):
            self.write(folder / name, f"stages/{kind}/{key}/{name}")
        if kind in self._listings:
            self._listings[kind][1].add(key)

    def write(self, file: Path, name: str) -> None:
        """One file, in place of what has its name."""
        with self._told("written"):
            self._fs.put_file(str(file), f"{self._root}/{name}")

    def _of(self, kind: str, key: str, name: str) -> str:
        return f"{self._root}/stages/{kind}/{key}/{name}"

    def _names(self, folder: str) -> list[str]:
        with self._told("read"):
            try:
                found: list[str] = self._fs.find(f"{self._root}/{folder}")
            except FileNotFoundError as error:
                raise UsageError(
                    f"--store {self.url}: {_said(error)}; make the bucket first, or name another"
                ) from None
        return found

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Each of these libraries has errors of its own."""
        try:
            yield
        except (UsageError, KeyboardInterrupt):
            raise
        except Exception as error:
            if is_full(error):
                raise
            raise OfflineError(
                f"store {self.url} cannot be {what}: {_said(error)}; see to network and "
                "credentials, then run the same command"
            ) from error


def _opened(url: str) -> tuple[Any, str]:
    """fsspec's file system and the path in it; UsageError for packages that are not there."""
    scheme = url.partition("://")[0]
    try:
        from fsspec.core import url_to_fs

        folders = {"auto_mkdir": True} if scheme == "file" else {}
        fs, root = url_to_fs(url, use_listings_cache=False, **folders)
    except ImportError as error:
        extra = EXTRA.get(scheme)
        how = f"pip install 't2i-defense-bench[{extra}]'" if extra else _said(error)
        raise UsageError(f"--store {url}: the package for {scheme}:// is not here; {how}") from None
    except ValueError as error:
        raise UsageError(f"--store {url}: {_said(error)}; write s3://BUCKET/PREFIX") from None
    return fs, root.rstrip("/")


def _said(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text.splitlines()[0].rstrip(".")[:300]
