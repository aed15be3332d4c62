"""What was asked of a store: one small file a run, so that it can be listed and resumed."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bench.errors import UsageError, unknown
from bench.files import full_disk_is_told, write_atomic
from bench.logs import log
from bench.request import Request
from bench.specs import Sampling, Stage, walked
from bench.store import Store

NOTES = "runs"
"""Names the lock under which notes are written: none appears while garbage is collected."""


@dataclass(frozen=True)
class Run:
    """What was asked at once, one request or several, with the stages that answer it."""

    id: str
    asked: str
    requests: tuple[Request, ...]
    metrics: tuple[str, ...]
    """Keys of its metrics stages."""
    stages: tuple[str, ...] = ()
    """Keys of all stages that it stands on; none in notes of earlier versions."""

    @property
    def plain(self) -> list[dict[str, Any]]:
        """The requests as JSON, resolved so that they mean the same from everywhere."""
        return [*map(_plain, self.requests)]

    def finished(self, store: Store) -> int:
        """How many of its cells are done."""
        return sum(store.holds("metrics", key) for key in self.metrics)


def save(store: Store, requests: Sequence[Request], stages: Sequence[Stage]) -> Run:
    """Notes the run; the same requests twice are the same run."""
    keys = tuple(stage.key for stage in stages)
    id_ = id_of(keys)
    asked = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    run = Run(id_, asked, tuple(requests), keys, tuple(stage.key for stage in walked(stages)))
    keep(store, id_, {"asked": asked, "requests": run.plain, "metrics": keys, "stages": run.stages})
    return run


def keep(store: Store, id_: str, note: Mapping[str, Any]) -> None:
    """Writes the note of a run."""
    with store.lock(NOTES), full_disk_is_told(store.root):
        place = note_file(store, id_)
        place.parent.mkdir(exist_ok=True)
        write_atomic(place, json.dumps(note, indent=1).encode())


def note_file(store: Store, id_: str) -> Path:
    """Where the note of a run lies."""
    return store.root / "runs" / f"{id_}.json"


def noted(store: Store, run: Run) -> dict[str, Any]:
    """The note of a run as it stands."""
    note: dict[str, Any] = json.loads(note_file(store, run.id).read_bytes())
    return note


def parsed(id_: str, note: Any) -> Run | None:
    """The run of a note; None where it cannot be read."""
    try:
        metrics, stages = tuple(note["metrics"]), tuple(note.get("stages", ()))
        requests = tuple(map(_request, copy.deepcopy(note["requests"])))
        return Run(id_, note["asked"], requests, metrics, stages)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def id_of(metrics: Sequence[str]) -> str:
    """The id of the run that asks for these."""
    return hashlib.sha256("".join(metrics).encode()).hexdigest()[:8]


def saved(store: Store) -> list[Run]:
    """All runs of the store, the last asked first; an unreadable note is told of once."""
    found = []
    for path, run in _read(store):
        if run:
            found.append(run)
        else:
            _tell_unreadable(path)
    return sorted(found, key=lambda run: run.asked, reverse=True)


def unreadable(store: Store) -> list[Path]:
    """Notes that are no runs to this version: damaged, or another version's."""
    return [path for path, run in _read(store) if run is None]


def _read(store: Store) -> Iterator[tuple[Path, Run | None]]:
    for path in (store.root / "runs").glob("*.json"):
        try:
            yield path, parsed(path.stem, json.loads(path.read_bytes()))
        except ValueError:
            yield path, None


@cache
def _tell_unreadable(path: Path) -> None:
    log.warning(
        f"{path}: not a run's note (damaged, or another version's), so that run is not listed; "
        "what it computed is kept: ask for it again, or remove the file to give it up"
    )


def find(store: Store, id_: str | None) -> Run:
    """The run of this id, or the last one that is not finished."""
    runs = saved(store)
    if id_ is None:
        for run in runs:
            if run.finished(store) < len(run.metrics):
                return run
        how = "every run is finished" if runs else "no run was ever asked of it"
        raise UsageError(
            f"nothing to resume in {store.root}: {how}; `bench list runs` shows "
            "them, --store names another store"
        )
    for run in runs:
        if run.id == id_:
            return run
    raise unknown("run", id_, [run.id for run in runs], "(`bench list runs` shows them)")


def _plain(request: Request) -> dict[str, Any]:
    full = request.absolute()
    plain = dataclasses.asdict(dataclasses.replace(full, sampling=None))  # type: ignore[arg-type]
    plain["sampling"] = request.sampling.model_dump()
    plain["plugins"] = [str(folder) for folder in full.plugins]
    return plain


def _request(plain: dict[str, Any]) -> Request:
    plugins = [Path(folder) for folder in plain.pop("plugins")]
    return Request(**plain | {"sampling": Sampling(**plain["sampling"]), "plugins": plugins})
