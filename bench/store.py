"""The store: one folder a finished stage, named by its key.

    <root>/stages/<kind>/<key>/   record.json (spec, digests, provenance) and the artefacts
    <root>/work/<key>/            progress.json, and what an unfinished stage resumes from
    <root>/locks/<key>.lease      there while a stage is computed (`bench.claims`)
    <root>/records/<kind>/<key>.json   records of stages whose artefacts are elsewhere
    <root>/aside/                 entries that failed their integrity check

A stage is written beside its place and renamed into it, so a reader sees all of it or nothing.
Several machines may share the folder.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.claims import Claim, Observer, claimed
from bench.errors import UsageError
from bench.files import file_digest, flush, make_folder, write_atomic
from bench.paths import expanded
from bench.records import digest_json, flaw_in, sound_record, sound_record_in
from bench.specs import Stage


def default_root() -> Path:
    """`BENCH_STORE`, or the user's cache folder."""
    if place := os.environ.get("BENCH_STORE"):
        return expanded(place)
    from platformdirs import user_cache_path

    return user_cache_path("t2i-defense-bench")


class Store:
    """Finished stages under one root folder."""

    def __init__(self, root: Path, *, made: bool = True) -> None:
        self.root = root
        if made:
            self.make()

    def make(self) -> None:
        """Makes the folder; UsageError where it may not be written. Who only reads needs none."""
        make_folder(self.root, "--store")

    def folder(self, kind: str, key: str) -> Path:
        return self.root / "stages" / kind / key

    def work(self, key: str) -> Path:
        """Scratch folder of an unfinished stage; survives a kill."""
        return self.root / "work" / key

    def progress(self, key: str) -> dict[str, Any]:
        """`done`, `total` and `unit` of a stage being computed; empty if it has not said."""
        try:
            said: dict[str, Any] = json.loads((self.work(key) / "progress.json").read_bytes())
        except (OSError, ValueError):
            return {}
        return said

    def has(self, stage: Stage) -> bool:
        return self.holds(stage.kind, stage.key)

    def holds(self, kind: str, key: str) -> bool:
        """Whether there is such an entry."""
        return (self.folder(kind, key) / "record.json").exists()

    def record(self, stage: Stage) -> dict[str, Any]:
        text = (self.folder(stage.kind, stage.key) / "record.json").read_text(encoding="utf-8")
        record: dict[str, Any] = json.loads(text)
        return record

    def flaw(self, stage: Stage) -> str | None:
        """What is wrong with a stored entry: a file missing, altered, or an unreadable record."""
        return flaw_in(self.folder(stage.kind, stage.key), stage.kind, stage.key)

    def set_aside(self, kind: str, key: str) -> Path:
        """Moves a corrupt entry out of the way; it is computed anew and nothing is deleted."""
        aside = self.root / "aside" / f"{kind}-{key[:12]}-{time.time_ns()}"
        aside.parent.mkdir(exist_ok=True)
        self.folder(kind, key).rename(aside)
        return aside

    def bring(self, kind: str, key: str) -> None:
        """Before artefacts are read: where a store is elsewhere, this entry is fetched."""

    def take(self, kind: str, key: str, made: Path) -> bool:
        """Makes a folder that brings its record an entry, if it is one; `flaw_in` was asked before.

        False where a sound entry is there, which stays; a corrupt one is set aside.
        """
        with self.lock(key):
            if self.folder(kind, key).exists():
                if flaw_in(self.folder(kind, key), kind, key) is None:
                    return False
                self.set_aside(kind, key)
            self._place(kind, key, made)
        return True

    @property
    def label(self) -> str:
        """Where it is, in words."""
        return str(self.root)

    @contextmanager
    def lock(self, key: str) -> Iterator[Claim]:
        """Waits for the claim on a key, then holds it."""
        with claimed(self._lease(key)) as claim:
            yield claim

    def busy(self, key: str) -> bool:
        """Whether somebody holds the claim on it at this moment, whatever silence they keep."""
        try:
            return self.observer(key).busy()
        except UsageError:
            return True

    def observer(self, key: str) -> Observer:
        """For one who waits until nobody does."""
        return Observer(self._lease(key))

    def _lease(self, key: str) -> Path:
        return self.root / "locks" / f"{key}.lease"

    def scratch(self, key: str, claim: Claim) -> Path:
        """Where the holder of the claim works, with what the last one left there to go on from.

        Its name is the claim's own: one that was taken over finds its folder gone, so that nothing
        it still writes gets among what others do.
        """
        mine = self.work(key) / claim.token
        self.work(key).mkdir(parents=True, exist_ok=True)
        left = [path for path in self.work(key).iterdir() if path.is_dir()]
        for path in sorted(left, key=lambda one: one.stat().st_mtime_ns, reverse=True):
            if mine.exists():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.rename(mine)
        mine.mkdir(exist_ok=True)
        return mine

    def publish(
        self,
        kind: str,
        key: str,
        spec: Mapping[str, Any],
        made: Path,
        result: Mapping[str, Any],
        provenance: Mapping[str, Any],
    ) -> None:
        """Makes a finished folder an entry: digests, record, flush, rename.

        Where somebody was first, theirs stays: equal keys have equal results.
        """
        files = {p.name: file_digest(p) for p in sorted(made.iterdir()) if p.name != "record.json"}
        record = {
            "spec": spec,
            "files": files,
            "result": result,
            "result_digest": digest_json(result),
            "made": provenance,
        }
        text = json.dumps(record, indent=1, sort_keys=True, allow_nan=False)
        write_atomic(made / "record.json", text.encode())
        self._place(kind, key, made)
        shutil.rmtree(self.work(key), ignore_errors=True)

    def _place(self, kind: str, key: str, made: Path) -> None:
        """Flushes a whole folder and renames it into its place, where there is none yet."""
        for path in made.iterdir():
            flush(path)
        place = self.folder(kind, key)
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            made.rename(place)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        flush(place.parent)

    def sweep(self) -> None:
        """Removes scratch and claims of finished stages, which a kill amid `publish` leaves."""
        scratch = {path.name for path in (self.root / "work").glob("*")}
        for key in scratch | {path.stem for path in (self.root / "locks").glob("*.lease")}:
            finished = any((self.root / "stages").glob(f"*/{key}/record.json"))
            # To ask takes a dead holder's claim away.
            if finished and not self.busy(key):
                shutil.rmtree(self.work(key), ignore_errors=True)

    def finished(self, kind: str, key: str) -> dict[str, Any] | None:
        """The record of a finished entry, its artefacts may be elsewhere; None if none is sound."""
        here = sound_record_in(self.folder(kind, key) / "record.json", kind, key)
        return here or sound_record_in(self.kept_record(kind, key), kind, key)

    def kept_record(self, kind: str, key: str) -> Path:
        """Where the record of a stage lies whose artefacts are not in this store."""
        return self.root / "records" / kind / f"{key}.json"

    def keep_record(self, kind: str, key: str, text: bytes) -> bool:
        """Keeps such a record; False, and it is not kept, unless it is that of this key."""
        if sound_record(text, kind, key) is None:
            return False
        place = self.kept_record(kind, key)
        place.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(place, text)
        return True

    def keys(self, kind: str) -> set[str]:
        """Of the finished entries of a kind."""
        found = (self.root / "stages" / kind).glob("*/record.json")
        return {path.parent.name for path in found}

    def records(self, kind: str, newest: int | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
        """Finished entries of a kind as (key, record), oldest first; corrupt ones skipped.

        With a number, no more than so many, the newest.
        """
        found = (self.root / "stages" / kind).glob("*/record.json")
        by_age = sorted(found, key=lambda p: (p.stat().st_mtime_ns, p.parent.name))
        for path in by_age[-newest:] if newest else by_age:
            if record := sound_record_in(path, kind, path.parent.name):
                yield path.parent.name, record
