"""What of a store nobody needs any more.

Needed is what a run refers to, finished or not, and what a finished row stands on. A run whose
request was asked again and gave other keys, since code or data have changed, is superseded: its
rows and what only they stand on are needed no longer. What is being computed is never touched.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.errors import UsageError
from bench.runs import NOTES, Run, note_file, saved, unreadable
from bench.store import Store


@dataclass(frozen=True)
class Piece:
    """A file or folder that may go."""

    what: str
    """run, stage, record, work, aside, cache, jobs or log."""
    path: Path
    why: str
    size: int
    """Bytes."""

    @property
    def key(self) -> str:
        """The stage's, for those of `stage` and `work`."""
        return self.path.name


def garbage(store: Store, older_than: float) -> list[Piece]:
    """What may go and has not been changed for so many seconds; run notes first."""
    newest = time.time() - older_than
    kept, superseded = _sorted_runs(store)
    _check_notes(store, kept)
    index = entries(store)
    asked = {key for run in kept for key in run.stages}
    needed = closure(index, asked | _rows(store, kept, superseded))
    found = [
        *(_piece("run", _note(store, run), "asked again since, and code or data had changed")
          for run in superseded),
        *(_piece("stage", path, "no run and no row refers to it")
          for key, path in index.items() if key not in needed),
        *(_piece("record", path, "no run and no row refers to it, or its stage is here too")
          for path in sorted((store.root / "records").glob("*/*.json"))
          if path.stem not in needed or path.stem in index),
        *_work(store, index, asked),
        *(_piece("aside", path, "failed its integrity check")
          for path in _children(store.root / "aside")),
        *(_piece("cache", path, "made anew when it is needed")
          for path in _children(store.root / "cache")),
        *(_piece("jobs", path, "of a run on a cluster that was killed")
          for path in _children(store.root / "jobs")),
        *_logs(store, superseded, index),
    ]  # fmt: skip
    return [piece for piece in found if _changed(piece.path) < newest]


def remove(store: Store, older_than: float) -> list[Piece]:
    """Deletes it; what has been asked for or begun meanwhile stays. Returns what is gone."""
    gone = []
    with store.lock(NOTES):  # no run is noted before this ends
        stranger = _unnoted(store)
        if stranger:
            raise UsageError(
                f"{stranger[:12]} is being computed in {store.root} for no run (an audit?); wait "
                "until it has ended, then run `bench gc --yes` again: nothing was deleted"
            )
        computing = any(store.busy(path.name) for path in _children(store.root / "work"))
        for piece in garbage(store, older_than):
            held = piece.what in ("stage", "work") and store.busy(piece.key)
            if held or (computing and piece.what in ("cache", "jobs")):
                continue
            _delete(store, piece)
            gone.append(piece)
    return gone


def _sorted_runs(store: Store) -> tuple[list[Run], list[Run]]:
    """Runs that hold, and those superseded by a later one of the same request."""
    kept: list[Run] = []
    superseded: list[Run] = []
    requests: set[str] = set()
    for run in saved(store):
        asked = json.dumps(run.plain, sort_keys=True)
        (superseded if asked in requests else kept).append(run)
        requests.add(asked)
    return kept, superseded


def _check_notes(store: Store, runs: list[Run]) -> None:
    """UsageError where it is not known what a run needs: an unreadable note, or an old one."""
    for path in unreadable(store):
        raise UsageError(
            f"{path}: not a run's note (damaged, or another version's), so nobody knows what that "
            "run needs; ask for the run again with that version, or remove the file to give it up"
        )
    for run in runs:
        if not run.stages and run.finished(store) < len(run.metrics):
            raise UsageError(
                f"run {run.id} in {store.root} is unfinished and from a version that did not note "
                f"what a run needs; go on with it first (bench resume {run.id}), or remove "
                f"{_note(store, run)} to give it up"
            )


def _rows(store: Store, kept: list[Run], superseded: list[Run]) -> set[str]:
    """Finished rows, an audit's too, and figures that are no rows, but for superseded ones."""
    held = {key for run in kept for key in run.metrics}
    ends = store.keys("metrics") | store.keys("truncated")
    return ends - ({key for run in superseded for key in run.metrics} - held)


def entries(store: Store) -> dict[str, Path]:
    """The folders of all stored stages by key."""
    return {path.name: path for path in (store.root / "stages").glob("*/*")}


def closure(index: dict[str, Path], keys: set[str]) -> set[str]:
    """These stages and all that they stand on, as their records say."""
    needed: set[str] = set()
    todo = list(keys)
    while todo:
        key = todo.pop()
        if key not in needed:
            needed.add(key)
            todo += _inputs(index[key]) if key in index else []
    return needed


def _inputs(folder: Path) -> list[str]:
    try:
        record = json.loads((folder / "record.json").read_bytes())
        return list(record["spec"]["inputs"].values())
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _work(store: Store, index: dict[str, Path], asked: set[str]) -> Iterator[Piece]:
    """Partial folders that nobody will go on with."""
    for path in _children(store.root / "work"):
        if path.name in index:
            yield _piece("work", path, "its stage is finished")
        elif path.name not in asked and not store.busy(path.name):
            yield _piece("work", path, "no run goes on with it")


def _logs(store: Store, superseded: list[Run], index: dict[str, Path]) -> Iterator[Piece]:
    old = {f"{run.id}.log" for run in superseded}
    finished = {f"{path.parent.name}-{key[:12]}.log" for key, path in index.items()}
    for path in _children(store.root / "logs"):
        if path.name in old:
            yield _piece("log", path, "of a run that was asked again since")
        elif path.name in finished:
            yield _piece("log", path, "of a failure; the stage is finished since")


def _unnoted(store: Store) -> str | None:
    """A stage that is being computed and that no run has noted."""
    noted = {key for run in saved(store) for key in run.stages}
    for path in _children(store.root / "work"):
        if path.name not in noted and store.busy(path.name):
            return path.name
    return None


def _delete(store: Store, piece: Piece) -> None:
    """A folder is renamed first, so that nobody ever sees a part of it."""
    if piece.path.is_dir():
        gone = store.root / "work" / f".gone-{piece.path.name}"
        gone.parent.mkdir(exist_ok=True)
        piece.path.rename(gone)
        shutil.rmtree(gone)
    else:
        piece.path.unlink(missing_ok=True)


def _note(store: Store, run: Run) -> Path:
    return note_file(store, run.id)


def _children(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _piece(what: str, path: Path, why: str) -> Piece:
    files = [p for p in path.rglob("*") if p.is_file()] if path.is_dir() else [path]
    return Piece(what, path, why, sum(p.stat().st_size for p in files))


def _changed(path: Path) -> float:
    """When it or what is directly in it was last written, in seconds of the epoch."""
    return max(p.stat().st_mtime for p in [path, *(_children(path))])
