"""The store of a URL on this machine: a folder that holds what was read or computed here.

Stages are computed in the folder as in any other. What is wanted and only in the bucket is fetched
when it is asked for, and used once its digests hold. What was finished here is sent by
`bench.sending`.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
from pathlib import Path
from typing import Any

from bench.errors import OfflineError, UsageError
from bench.files import write_atomic
from bench.logs import log
from bench.paths import expanded
from bench.records import flaw_in, plain_name, sound_record
from bench.remote import Remote
from bench.specs import Stage
from bench.store import Store


def mirror_folder(url: str) -> Path:
    """`BENCH_MIRROR`, or a folder of the user's cache that is named by the URL."""
    if place := os.environ.get("BENCH_MIRROR"):
        return expanded(place).resolve()
    from platformdirs import user_cache_path

    digest = hashlib.sha256(url.encode()).hexdigest()[:16]
    return user_cache_path("t2i-defense-bench") / "mirrors" / digest


class Mirror(Store):
    """A folder and the bucket that it mirrors; opened, it has the notes of all runs."""

    def __init__(self, url: str) -> None:
        self.remote = Remote(url)
        super().__init__(mirror_folder(self.remote.url))
        self._check_folder()
        self._runs = self.remote.notes()
        self._fetch_notes()

    @property
    def label(self) -> str:
        return self.remote.url

    def holds(self, kind: str, key: str) -> bool:
        if super().holds(kind, key):
            return True
        return key in self.remote.keys(kind) and not self.is_spoilt(key)

    def has_here(self, stage: Stage) -> bool:
        """Whether it is in the folder."""
        return super().holds(stage.kind, stage.key)

    def keys(self, kind: str) -> set[str]:
        there = {key for key in self.remote.keys(kind) if not self.is_spoilt(key)}
        return super().keys(kind) | there

    def record(self, stage: Stage) -> dict[str, Any]:
        record = self.finished(stage.kind, stage.key)
        return super().record(stage) if record is None else record

    def finished(self, kind: str, key: str) -> dict[str, Any] | None:
        """Of a stage that is in the bucket only, the record is kept here and no artefact."""
        if (record := super().finished(kind, key)) is not None:
            return record
        text = self.remote.read(f"stages/{kind}/{key}/record.json")
        if text is None or not self.keep_record(kind, key, text):
            return None
        return super().finished(kind, key)

    def bring(self, kind: str, key: str) -> None:
        """Fetches a stage that is not here, unless somebody computes it here at the moment."""
        if self.folder(kind, key).exists() or self.is_spoilt(key) or self.busy(key):
            return
        text = self.remote.read(f"stages/{kind}/{key}/record.json")
        if text is not None:
            self._fetch(kind, key, text)

    def _fetch(self, kind: str, key: str, text: bytes) -> None:
        name = f"pull-{key}"
        with self.lock(name) as claim:
            if self.folder(kind, key).exists():  # another command was faster
                return
            try:
                made = self.scratch(name, claim) / "out"
                shutil.rmtree(made, ignore_errors=True)
                made.mkdir()
                write_atomic(made / "record.json", text)
                if record := sound_record(text, kind, key):
                    self.remote.fetch(kind, key, list(filter(plain_name, record["files"])), made)
                flaw = flaw_in(made, kind, key)
                if flaw is None:
                    self.take(kind, key, made)
                    self.kept_record(kind, key).unlink(missing_ok=True)
            finally:
                shutil.rmtree(self.work(name), ignore_errors=True)
        if flaw is not None:
            self._spoil(key)
            log.info(
                "warning: %s %s in %s is corrupt (%s); not used, computed anew and overwritten",
                *(kind, key[:12], self.label, flaw),
            )

    def is_spoilt(self, key: str) -> bool:
        """Whether what the bucket has of it was found corrupt, and has not been replaced yet."""
        return self._spoilt(key).exists()

    def send(self, kind: str, key: str) -> bool:
        """A stage that is finished here; False where the bucket has it."""
        if key in self.remote.keys(kind) and not self.is_spoilt(key):
            return False
        self.remote.push(kind, key, self.folder(kind, key))
        self._spoilt(key).unlink(missing_ok=True)
        return True

    def send_note(self, run: str) -> None:
        """Where nobody has asked the same before; who may only read asks all the same."""
        if run in self._runs:
            return
        try:
            self.remote.write(self.root / "runs" / f"{run}.json", f"runs/{run}.json")
        except OfflineError as error:
            log.info("warning: others do not see this run: %s", error)

    def send_log(self, run: str) -> None:
        """Under a name of this machine's own: others may say something of the same run."""
        place = self.root / "logs" / f"{run}.log"
        try:
            self.remote.write(place, f"logs/{run}-{platform.node() or 'host'}.log")
        except OfflineError as error:
            log.debug("the log stays here: %s", error)

    def _spoilt(self, key: str) -> Path:
        return self.root / "remote" / "spoilt" / key

    def _spoil(self, key: str) -> None:
        self._spoilt(key).parent.mkdir(parents=True, exist_ok=True)
        self._spoilt(key).touch()

    def _check_folder(self) -> None:
        """One folder mirrors one URL."""
        note = self.root / "remote" / "url"
        if not note.exists():
            note.parent.mkdir(exist_ok=True)
            write_atomic(note, self.remote.url.encode())
        if (other := note.read_text(encoding="utf-8")) != self.remote.url:
            raise UsageError(
                f"{self.root} mirrors {other}, not {self.remote.url}; name another with "
                "BENCH_MIRROR, or leave it out"
            )

    def _fetch_notes(self) -> None:
        for run in self._runs:
            place = self.root / "runs" / f"{run}.json"
            if place.exists() or (text := self.remote.read(f"runs/{run}.json")) is None:
                continue
            try:
                json.loads(text)
            except ValueError:
                continue
            place.parent.mkdir(exist_ok=True)
            write_atomic(place, text)
