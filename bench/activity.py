"""What goes on in a store: its unfinished runs, how far they are, how long they will take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.estimates import Estimator
from bench.naming import label
from bench.pipeline import cell_stages
from bench.runs import Run, saved
from bench.specs import Stage, walked
from bench.store import Store


@dataclass
class Watched:
    """An unfinished run with its stages, looked up once; `state` reads how far it is."""

    run: Run
    stages: Sequence[Stage]
    problem: str | None
    """Why its stages cannot be told any more, as when a plugin is gone."""

    def state(self, store: Store, estimator: Estimator) -> dict[str, Any]:
        """A line of `bench status`."""
        done = [stage for stage in self.stages if store.has(stage)]
        busy = [s for s in self.stages if store.work(s.key).exists() and not store.has(s)]
        busy = [stage for stage in busy if store.busy(stage.key)]
        told = [_told(store, stage) for stage in busy]
        finished = self.run.finished(store)
        left = sum(_left(store, estimator, s, s in busy) for s in self.stages if s not in done)
        return {
            "run": self.run.id,
            "state": _state(busy, finished, len(self.run.metrics)),
            "rows": f"{finished}/{len(self.run.metrics)}",
            "stages": f"{len(done)}/{len(self.stages)}" if self.stages else None,
            "minutes_left": round(left / max(1, len(busy)) / 60, 1) if self.stages else None,
            "now": "; ".join(told) or None,
            "failed": "; ".join(failures(store, self.run)) or None,
            "problem": self.problem,
        }


def watched(store: Store) -> list[Watched]:
    """The unfinished runs of a store, the last asked first."""
    return [_watch(run) for run in saved(store) if run.finished(store) < len(run.metrics)]


def failures(store: Store, run: Run) -> list[str]:
    """The errors of a run since it was last started, from its log."""
    found: list[str] = []
    for line in _lines(run_log(store, run.id)):
        if " DEBUG   command: " in line:
            found = []
        elif (said := line.partition(" ERROR   error: ")[2]) and said not in found:
            found.append(said)
    return found


def run_log(store: Store, run: str) -> Path:
    """Where all that a run said is kept."""
    return store.root / "logs" / f"{run}.log"


def _watch(run: Run) -> Watched:
    try:
        cells = [cell for request in run.requests for cell in request.cells()]
        stages = walked(cell_stages(cells))
    except BenchError as error:
        return Watched(run, [], str(error))
    if not {stage.key for stage in stages} >= set(run.metrics):
        said = "code, data or base have changed since: the same command is another run now"
        return Watched(run, [], said)
    return Watched(run, stages, None)


def _state(busy: Sequence[Stage], done: int, rows: int) -> str:
    return "running" if busy else "finished" if done == rows else "stopped"


def _told(store: Store, stage: Stage) -> str:
    said = store.progress(stage.key)
    return (
        f"{label(stage)}: {said['done']}/{said['total']} {said['unit']}" if said else label(stage)
    )


def _left(store: Store, estimator: Estimator, stage: Stage, busy: bool) -> float:
    """Seconds a stage will still take; of one that is being computed, what is left of it."""
    seconds = estimator.seconds(stage)
    said = store.progress(stage.key) if busy else {}
    return seconds * (1 - said["done"] / max(1, said["total"])) if said else seconds


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
