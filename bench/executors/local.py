"""Runs stages on this machine: worker processes, as many stages at once as asked for.

A stage that takes its process with it, as an attack of somebody's may, costs no other its result:
all that ran at that moment are tried again one by one, and the one that dies alone has failed.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol

from bench.errors import BenchError, BudgetError
from bench.executors.work import attempt_all, describe
from bench.executors.workers import Workers, started
from bench.specs import Stage
from bench.store import Store

Running = dict[Future[list[float | BenchError]], list[Stage]]


class Watcher(Protocol):
    """Is told what happens; draws the progress."""

    def started(self, together: Sequence[Stage]) -> None: ...
    def finished(self, stage: Stage, seconds: float) -> None: ...
    def failed(self, stage: Stage, error: str) -> None: ...
    def returned(self, stage: Stage) -> None: ...
    def tick(self) -> None: ...


def default_workers() -> int:
    """One worker a core that this process may use, four at most (0.7 GB each)."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        cores = os.cpu_count() or 1
    return min(4, cores)


def run(
    stages: Sequence[Stage],
    store: Store,
    workers: int,
    watcher: Watcher,
    means: Mapping[str, Any] | None = None,
    *,
    apart: bool = False,
) -> dict[str, BenchError]:
    """Computes stages (inputs first in the list); returns the errors by key, others are stored.

    A stage whose input failed is left out without an error of its own. `means` is how stages are
    computed (processes, trackers), which changes no key. One worker is a thread of this process,
    unless the stages are to be kept `apart`, as those of foreign plugins are.
    """
    with started(workers, threaded=workers == 1 and not apart) as pool:
        return _Run(stages, store, workers, watcher, means).through(pool)


class _Run:
    """The stages of one run: still to do, running, failed."""

    def __init__(
        self,
        stages: Sequence[Stage],
        store: Store,
        workers: int,
        watcher: Watcher,
        means: Mapping[str, Any] | None,
    ) -> None:
        self.store, self.workers, self.watcher, self.means = store, workers, watcher, means
        self.todo = {stage.key: stage for stage in stages}
        self.errors: dict[str, BenchError] = {}
        self.running: Running = {}
        self.given_up: set[str] = set()
        """Keys of stages that are not tried, since their attack has ended a process before."""
        self.suspects: set[str] = set()
        """What ran when a process died; run alone until it is known which one it was."""

    def through(self, pool: Workers) -> dict[str, BenchError]:
        """All that can be computed; the errors."""
        while self.todo or self.running:
            self._hand_out(pool)
            if not self.running:
                break
            done, _ = wait(self.running, timeout=0.5, return_when=FIRST_COMPLETED)
            if any(isinstance(future.exception(), BrokenProcessPool) for future in done):
                self._bury(pool)
            else:
                for future in done:
                    self._take(self.running.pop(future), future.result())
            self.watcher.tick()
        return self.errors

    def _hand_out(self, pool: Workers) -> None:
        for together in self._next():
            if len(self.running) == self.workers or (self.suspects and self.running):
                break
            orders = [describe(stage, self.means) for stage in together]
            try:
                future = pool.submit(attempt_all, self.store.root, orders)
            except BrokenProcessPool:
                if self.running:  # which will tell
                    break
                pool.renew()  # one has died that had nothing to do
                future = pool.submit(attempt_all, self.store.root, orders)
            for stage in together:
                del self.todo[stage.key]
            self.running[future] = together
            self.watcher.started(together)

    def _next(self) -> Iterable[list[Stage]]:
        groups = _startable(self.todo, {*self.errors, *self.given_up}, self.running)
        alone = [[one] for group in groups for one in group if one.key in self.suspects]
        # Trainings last: they may take hours, and are seldom to blame.
        alone.sort(key=lambda single: single[0].kind == "train")
        return alone or _free_first(self.store, groups)

    def _take(self, together: Sequence[Stage], ended: Sequence[float | BenchError]) -> None:
        for stage, how in zip(together, ended, strict=True):
            self.suspects.discard(stage.key)
            if isinstance(how, BenchError):
                self.errors[stage.key] = how
                self.watcher.failed(stage, str(how))
            else:
                self.watcher.finished(stage, how)

    def _bury(self, pool: Workers) -> None:
        """A process has died, and all others with it: what they had stored is kept."""
        wait(self.running)
        lost: list[Stage] = []
        for future, together in self.running.items():
            if future.exception() is None:
                self._take(together, future.result())
                continue
            left = [stage for stage in together if not self.store.has(stage)]
            kept = [stage for stage in together if stage not in left]
            self._take(kept, [0.0] * len(kept))
            lost += left
        self.running.clear()
        code = pool.renew()
        if len(lost) == 1:
            self._take(lost, [_killed(code)])
            self.suspects.clear()
            self._give_up(lost[0])
            return
        self.suspects = {stage.key for stage in lost}
        for stage in lost:
            self.todo[stage.key] = stage
            self.watcher.returned(stage)

    def _give_up(self, dead: Stage) -> None:
        """An attack that ended its process once is asked nothing more in this run."""
        if "attack" not in dead.params:
            return
        for stage in list(self.todo.values()):
            if stage.params.get("attack") == dead.params["attack"]:
                self.given_up.add(stage.key)
                del self.todo[stage.key]


def _killed(code: int | None) -> BenchError:
    """Why a stage ended that took its process with it, though it ran alone."""
    if code is None or code == -signal.SIGKILL:
        return BudgetError(
            "its process was killed (out of memory?) though nothing ran beside it; finished stages "
            "are kept, run the same command again where there is more memory"
        )
    how = f"exit code {code}" if code > 0 else signal.Signals(-code).name
    return BenchError(
        f"it ended its process ({how}) though nothing ran beside it; mend what it calls, then run "
        "the same command again"
    )


def _ready(
    todo: Mapping[str, Stage], errors: Collection[str], running: Mapping[Any, Sequence[Stage]]
) -> list[Stage]:
    """Stages whose inputs are all there, trainings first since everything waits for them."""
    busy = {stage.key for together in running.values() for stage in together}
    unfinished = set(todo) | busy | set(errors)
    ready = [s for s in todo.values() if not any(b.key in unfinished for b in s.inputs.values())]
    return sorted(ready, key=lambda stage: stage.kind != "train")


def _startable(
    todo: Mapping[str, Stage], errors: Collection[str], running: Mapping[Any, Sequence[Stage]]
) -> list[list[Stage]]:
    """Groups to hand out now. One waits for what will share its model, if anything else goes on."""
    groups = _together(_ready(todo, errors, running))
    ready = {stage.key for group in groups for stage in group}
    awaited = {stage.shared_by for stage in todo.values() if stage.key not in ready}
    free = [group for group in groups if group[0].shared_by not in awaited]
    return free or ([] if running else groups)


def _free_first(store: Store, groups: Sequence[list[Stage]]) -> Iterator[list[Stage]]:
    """Those first that no other process computes, so that several runs share one store's work."""
    others = []
    for group in groups:
        if store.busy(group[0].key):
            others.append(group)
        else:
            yield group
    yield from others


def _together(ready: Sequence[Stage]) -> list[list[Stage]]:
    """Stages that share a model or a fitted attack go to one worker, which makes it once.

    Those that compare predictions come first: the losses of the others follow from these.
    """
    groups: dict[str, list[Stage]] = {}
    for stage in ready:
        groups.setdefault(stage.shared_by, []).append(stage)
    return [sorted(group, key=_compares, reverse=True) for group in groups.values()]


def _compares(stage: Stage) -> bool:
    return any(role.startswith("reference") for role in stage.inputs)
